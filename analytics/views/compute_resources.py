"""Compute resources: the registry's records of what processes can run on."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from django.db.models import QuerySet

from analytics.filters import ComputeResourceFilter
from analytics.queries.gpus import GPU_ORDER
from analytics.registry_serializers import ComputeResourcePageSerializer, ComputeResourceSerializer
from analytics.tenancy import tenant_of
from analytics.views.bulk import BulkViews, texts_of
from analytics.views.examples import CARD_UUID, FIRST_SEEN, LAST_SEEN, NODE, SLICE_UUID
from analytics.views.labelled import LABELS_PARAMETER, LabelledPageParameters
from analytics.views.registry_docs import documented
from registry.models import ComputeResource, PhysicalGPU

SLICE: Final = {
    "uuid": SLICE_UUID,
    "physical_uuid": CARD_UUID,
    "resource_type": "mig_3g.40gb",
    "memory_total_gb": 39.5,
    "set": [],
    "conflicts": [],
    "seen_physical_uuid": CARD_UUID,
    "seen_resource_type": "mig_3g.40gb",
    "seen_memory_total_gb": 39.5,
    "seen_model": "NVIDIA H100 80GB HBM3",
    "seen_vendor": "NVIDIA",
    "seen_node_id": NODE,
    "mig_profile": "3g.40gb",
    "gi_id": 2,
    "ci_id": 0,
    "sm_share": 0.42857142857142855,
    "share": 0.49375,
    "cost_per_hour_usd": 1.407188,
    "labels": {"team": "search"},
    "retired_at": None,
    "retired_by": "",
    "first_seen": FIRST_SEEN,
    "last_seen": LAST_SEEN,
}


class ComputeResourceListParameters(LabelledPageParameters):
    """What `GET /compute-resources` takes."""

    filters = ComputeResourceFilter


@documented(
    names=("compute_resource", "compute_resources"),
    serializer=ComputeResourceSerializer,
    page=ComputeResourcePageSerializer,
    parameters=[ComputeResourceListParameters, LABELS_PARAMETER],
    example=SLICE,
    change={"physical_uuid": SLICE["physical_uuid"]},
    deletes="Delete a compute resource and its contexts. The next span that ran on it registers it again.",
)
class ComputeResourceViews(BulkViews):
    queryset = ComputeResource.objects.select_related("physical", "set_physical", "seen_physical", "seen_node")
    serializer_class = ComputeResourceSerializer
    page_serializer = ComputeResourcePageSerializer
    rows_field = "compute_resources"
    list_parameters = ComputeResourceListParameters
    order = GPU_ORDER
    noun = "compute resource"
    lookup_field = "uuid"
    refusals: ClassVar = {
        "compute_resource_uuid_unique": ("uuid", "There is a compute resource with this UUID already.")
    }
    signed = ("retired_by",)

    def get_queryset(self) -> QuerySet[Any]:
        resources: QuerySet[Any] = super().get_queryset().described()  # type: ignore[attr-defined]  # its manager's
        return resources

    def references(self, bodies: Sequence[Any]) -> Mapping[str, Any]:
        uuids = texts_of(bodies, "physical_uuid")
        cards = PhysicalGPU.objects.filter(tenant__slug=tenant_of(self.request), uuid__in=uuids)
        return {card.uuid: card for card in cards}

    def sign(self, written: ComputeResource) -> None:
        written.sign()
