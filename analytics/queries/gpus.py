"""Which GPUs are there, and what is known of each? The registry's rows with the latest readings beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Q, QuerySet

from analytics.params import Page
from analytics.queries.gpu_readings import Readings, latest_readings
from analytics.queries.keyset import find_rows
from registry.models import ComputeResource, PhysicalGPU, ResourceContext

# By node, then card, so that slices of one card stand together. The last is unique, so a cursor is never ambiguous.
GPU_ORDER: Final = ("node_id", "physical_uuid", "uuid")
_COLUMNS: Final = (
    *GPU_ORDER,
    "model",
    "vendor_or_guess",
    "type_or_guess",
    "memory_total_gb",
    "user_labels",
    "cost_per_hour_usd",
    "share",
    "mig_profile",
    "sm_share",
    "labels",
    "retired_at",
    "first_seen",
    "last_seen",
    "pk",
    "gi_id",
    "conflicts",
)
MAX_CONTEXTS: Final = 100
# What the JSON of a card is made of.
_CARD: Final = ("physical__node", "physical__set_node", "physical__seen_node")


@dataclass(frozen=True)
class Gpu:
    """A compute resource: the registry's word on it, and its latest known readings. Texts are "" where unknown.

    `pk` is its row's in PostgreSQL; `conflicts` names the facts of which something else was seen than was set.
    """

    resource_uuid: str
    physical_uuid: str
    model: str
    vendor: str
    resource_type: str
    node_id: str
    user_labels: list[str]
    cost_per_hour_usd: Decimal | None
    share: Decimal | None
    mig_profile: str
    sm_share: Decimal | None
    labels: dict[str, str]
    retired_at: datetime | None
    first_seen: datetime | None
    last_seen: datetime | None
    pk: int
    gi_id: int | None
    conflicts: list[str]
    readings: Readings


@dataclass(frozen=True)
class GpuPage:
    gpus: list[Gpu]
    total: int
    next: str | None


@dataclass(frozen=True)
class GpuDetail(Gpu):
    """One GPU, its card where that is known, those who held it last, and the other slices of its card."""

    physical: PhysicalGPU | None
    contexts: list[ResourceContext]
    siblings: list[Gpu]


def find_gpus(*, tenant: str, resources: QuerySet[ComputeResource], page: Page) -> GpuPage:
    """Return a page of `resources`, which is described() and filtered. Two statements and one ClickHouse query."""
    found = find_rows(_rows(resources), order=GPU_ORDER, page=page)
    return GpuPage(gpus=_with_readings(tenant, found.rows), total=found.total, next=found.next)


def find_gpu(*, tenant: str, resource_uuid: str) -> GpuDetail | None:
    """Return one GPU, None where there is none. Three statements and one ClickHouse query."""
    known = ComputeResource.objects.of_tenant(tenant).described()
    resource = known.filter(uuid=resource_uuid).select_related(*_CARD).first()
    if resource is None:
        return None
    is_it_or_slice_of_its_card = Q(pk=resource.pk)
    if resource.physical is not None:
        is_it_or_slice_of_its_card |= Q(physical=resource.physical) & ~Q(uuid=resource.physical.uuid)
    gpus = gpus_of(tenant=tenant, resources=known.filter(is_it_or_slice_of_its_card))
    return GpuDetail(
        **vars(next(gpu for gpu in gpus if gpu.resource_uuid == resource_uuid)),
        physical=resource.physical,
        contexts=list(resource.contexts.newest_first()[:MAX_CONTEXTS]),
        siblings=[gpu for gpu in gpus if gpu.resource_uuid != resource_uuid],
    )


def gpus_of(*, tenant: str, resources: QuerySet[ComputeResource]) -> list[Gpu]:
    """Return all of `resources`, which is described(), in GPU_ORDER. One statement and one ClickHouse query."""
    return _with_readings(tenant, list(_rows(resources.order_by(*GPU_ORDER))))


def _rows(resources: QuerySet[ComputeResource]) -> QuerySet[Any, dict[str, Any]]:
    labels = ResourceContext.objects.open().filter(resource=OuterRef("pk")).exclude(user_label="")
    labelled = resources.annotate(
        user_labels=ArraySubquery(labels.order_by("user_label").values("user_label").distinct())
    )
    rows: QuerySet[Any, dict[str, Any]] = labelled.values(*_COLUMNS)
    return rows


def _with_readings(tenant: str, rows: Sequence[Mapping[str, Any]]) -> list[Gpu]:
    readings = latest_readings(tenant=tenant, resource_uuids=[row["uuid"] for row in rows])
    return [_gpu(row, readings.get(row["uuid"], Readings())) for row in rows]


def _gpu(row: Mapping[str, Any], readings: Readings) -> Gpu:
    if row["memory_total_gb"] is not None:  # the registry's word, which may be a correction
        readings = replace(readings, memory_total_gb=row["memory_total_gb"])
    return Gpu(
        resource_uuid=row["uuid"],
        physical_uuid=row["physical_uuid"],
        model=row["model"],
        vendor=row["vendor_or_guess"],
        resource_type=row["type_or_guess"],
        node_id=row["node_id"],
        user_labels=row["user_labels"],
        cost_per_hour_usd=row["cost_per_hour_usd"],
        share=row["share"],
        mig_profile=row["mig_profile"],
        sm_share=row["sm_share"],
        labels=row["labels"],
        retired_at=row["retired_at"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        pk=row["pk"],
        gi_id=row["gi_id"],
        conflicts=row["conflicts"],
        readings=readings,
    )
