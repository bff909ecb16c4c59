"""Cards: the registry's records of them, and how all slices of one were used over time."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.filters import PhysicalGpuFilter
from analytics.gpu_serializers import PhysicalGpuMetricsSerializer
from analytics.queries.gpu_metrics import physical_gpu_metrics
from analytics.registry_serializers import PhysicalGpuPageSerializer, PhysicalGpuSerializer
from analytics.tenancy import tenant_of
from analytics.views.bulk import BulkViews, Checked
from analytics.views.examples import CARD, answers
from analytics.views.gpus import GpuMetricsParameters, chart_answer
from analytics.views.labelled import LABELS_PARAMETER, LabelledPageParameters
from analytics.views.registry_docs import documented
from axonize.api import READ_ERRORS
from registry.history import create_many
from registry.models import Node, PhysicalGPU


class PhysicalGpuListParameters(LabelledPageParameters):
    """What `GET /physical-gpus` takes."""

    filters = PhysicalGpuFilter


@documented(
    names=("physical_gpu", "physical_gpus"),
    serializer=PhysicalGpuSerializer,
    page=PhysicalGpuPageSerializer,
    parameters=[PhysicalGpuListParameters, LABELS_PARAMETER],
    example=CARD,
    change={"cost_per_hour_usd": 2.6},
    deletes="Delete a card. Its slices stay, on no card; the next span that names the card registers it again.",
)
class PhysicalGpuViews(BulkViews):
    queryset = PhysicalGPU.objects.described().select_related("node", "set_node", "seen_node")
    serializer_class = PhysicalGpuSerializer
    page_serializer = PhysicalGpuPageSerializer
    rows_field = "physical_gpus"
    list_parameters = PhysicalGpuListParameters
    order = ("node_name", "uuid")
    noun = "physical GPU"
    lookup_field = "uuid"
    refusals: ClassVar = {"physical_gpu_uuid_unique": ("uuid", "There is a physical GPU with this UUID already.")}

    def resolved(self, checked: list[Checked], owner: Mapping[str, Any]) -> list[Checked]:
        """Return the values with the nodes that they name, which are registered where they are not there yet."""
        names = {values["set_node"] for _, values in checked if values.get("set_node")}
        known = Node.objects.filter(tenant=owner["tenant"], name__in=names)
        nodes: dict[str, Node | None] = {"": None, **{node.name: node for node in known}}
        missing = [Node(tenant=owner["tenant"], name=name) for name in sorted(names - nodes.keys())]
        create_many(Node, missing)
        nodes |= {node.name: node for node in Node.objects.filter(tenant=owner["tenant"], name__in=names)}
        return [
            (found, {**values, "set_node": nodes[values["set_node"]]} if "set_node" in values else values)
            for found, values in checked
        ]


@extend_schema(
    operation_id="list_physical_gpu_metrics",
    tags=["registry"],
    parameters=[OpenApiParameter("uuid", str, OpenApiParameter.PATH, description="The card's."), GpuMetricsParameters],
    responses={200: PhysicalGpuMetricsSerializer, **READ_ERRORS},
    examples=answers(
        "A minute of a card with two busy slices",
        {
            "metrics": [
                {
                    "timestamp": "2026-02-07T10:00:00.000000000Z",
                    "resource_uuid": CARD["uuid"],
                    "utilization": 71.5,
                    "memory_used_gb": 52.6,
                    "memory_total_gb": 79.0,
                    "temperature_celsius": 61.0,
                    "power_watts": 488.0,
                    "clock_mhz": 1755.0,
                    "active_spans": 23,
                }
            ],
            "physical_uuid": CARD["uuid"],
            "start": "2026-02-07T10:00:00.000000000Z",
            "end": "2026-02-07T10:01:00.000000000Z",
            "step": 60,
        },
    ),
)
@api_view(["GET"])
def physical_gpu_metrics_list(request: Request, uuid: str) -> Response:
    """Show how a card was used over time, the last hour by default. An unknown one has an empty list.

    Each slice's readings of a bucket become one by `aggregate` first. Of the slices that have a reading in the bucket,
    used and total memory and power are summed up; utilization, temperature and clock are averaged, each slice counting
    alike. Nothing counts twice: where the card itself has a reading, its slices' do not count; slices in one GPU
    instance (`gi_id`), which share its memory, count once; of slices of an old layout none does in a bucket that has
    later ones. `active_spans` is summed up, so a span that ran on two slices counts twice.
    A span's slice is on the card that the span names; where it names none, on the card that the registry has it on.
    """
    parameters = GpuMetricsParameters.read(request)
    points = physical_gpu_metrics(
        tenant=tenant_of(request),
        physical_uuid=uuid,
        start_ns=parameters["start"],
        end_ns=parameters["end"],
        step_seconds=parameters["step"],
        aggregate=parameters["aggregate"],
    )
    return chart_answer(points, parameters, physical_uuid=uuid)
