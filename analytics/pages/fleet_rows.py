"""The rows of the fleet's table: nodes, under each its cards, under each its slices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Literal

from django.urls import reverse
from django.utils import timezone

from analytics.pages.bills import Bill
from analytics.queries.fleet import IDLE_AFTER, STALE_AFTER, FleetPage, NodeCounts, Unit
from analytics.queries.gpu_readings import Readings, combined
from analytics.queries.gpus import Gpu
from analytics.times import NS_PER_SECOND
from registry.models import Node, PhysicalGPU, ResourceContext

State = Literal["in use", "idle", "retired", "not seen"]


@dataclass(frozen=True)
class Row:
    """A card, a slice, or a whole card that processes run on; `depth` is 1 of a slice below its card.

    `bill` is of the range, None where none is asked for or the row's slices have their own.
    """

    url: str
    admin_url: str
    uuid: str
    kind: str
    model: str
    state: State
    is_stale: bool
    readings: Readings
    last_seen: datetime | None
    price: Decimal | None
    conflicts: Sequence[str]
    labels: Mapping[str, str]
    holders: Sequence[ResourceContext] = ()
    bill: Bill | None = None
    depth: int = 0
    is_sum: bool = False


@dataclass(frozen=True)
class NodeRows:
    """A node, None of what no node is known of; and what is in it, or of it on this page."""

    name: str
    node: Node | None
    counts: NodeCounts | None
    rows: list[Row] = field(default_factory=list)


def node_rows(found: FleetPage, bills: Mapping[str, Bill], *, since: datetime) -> list[NodeRows]:
    """Return the rows of a page of the fleet, node by node; idle is what ran no span since then."""
    return [
        NodeRows(
            name,
            found.nodes.get(name),
            found.counts.get(name),
            [row for unit in units for row in _unit_rows(unit, found.holders, bills, since)],
        )
        for name, units in groupby(found.units, key=lambda unit: unit.node_name)
    ]


def gpu_row(
    gpu: Gpu, bill: Bill | None, *, since: datetime, holders: Sequence[ResourceContext] = (), depth: int = 0
) -> Row:
    """Return the row of a resource."""
    return Row(
        url=reverse("pages:gpu", args=[gpu.resource_uuid]),
        admin_url=reverse("admin:registry_computeresource_change", args=[gpu.pk]),
        uuid=gpu.resource_uuid,
        kind=gpu.resource_type,
        model=gpu.model,
        state=state_of(gpu, since),
        is_stale=is_stale(gpu.last_seen),
        readings=gpu.readings,
        last_seen=gpu.last_seen,
        price=gpu.cost_per_hour_usd,
        conflicts=gpu.conflicts,
        labels=gpu.labels,
        holders=holders,
        bill=bill,
        depth=depth,
    )


def state_of(gpu: Gpu, since: datetime) -> State:
    """Return "not seen" of what no span ever named."""
    if gpu.retired_at is not None:
        return "retired"
    if gpu.last_seen is None:
        return "not seen"
    return "in use" if gpu.last_seen >= since else "idle"


def is_stale(last_seen: datetime | None) -> bool:
    return last_seen is not None and last_seen < timezone.now() - STALE_AFTER


def readings_of_card(gpus: Sequence[Gpu], card_uuid: str) -> Readings:
    """Make one of what the resources of a card in service measured at its last: its own readings, else its slices'.

    What slices measured within IDLE_AFTER before the latest is of one moment, as the admin's list has it.
    """
    read = [(gpu, gpu.readings.reading_at_ns or 0) for gpu in gpus if gpu.retired_at is None]
    oldest_ns = max((at_ns for _, at_ns in read), default=0) - round(IDLE_AFTER.total_seconds()) * NS_PER_SECOND
    of_moment = [gpu for gpu, at_ns in read if at_ns > max(oldest_ns, 0)]
    own = [gpu.readings for gpu in of_moment if gpu.resource_uuid == card_uuid]
    if own:
        return own[0]
    return combined((gpu.resource_uuid if gpu.gi_id is None else gpu.gi_id, gpu.readings) for gpu in of_moment)


def _unit_rows(
    unit: Unit, holders: Mapping[int, Sequence[ResourceContext]], bills: Mapping[str, Bill], since: datetime
) -> list[Row]:
    def row(gpu: Gpu, depth: int) -> Row:
        bill = bills.get(gpu.resource_uuid)
        return gpu_row(gpu, bill, since=since, holders=holders.get(gpu.pk, ()), depth=depth)

    if unit.card is None:
        return [row(gpu, 0) for gpu in unit.gpus]
    if [gpu.resource_uuid for gpu in unit.gpus] == [unit.card.uuid]:
        return [row(unit.gpus[0], 0)]
    return [_card_row(unit.card, unit.gpus, since), *(row(gpu, 1) for gpu in unit.gpus)]


def _card_row(card: PhysicalGPU, gpus: Sequence[Gpu], since: datetime) -> Row:
    states: list[State] = ["in use", "idle", "retired"]
    found = {state_of(gpu, since) for gpu in gpus}
    return Row(
        url=reverse("pages:card", args=[card.uuid]),
        admin_url=reverse("admin:registry_physicalgpu_change", args=[card.pk]),
        uuid=card.uuid,
        kind="card",
        model=card.model,
        state=next((state for state in states if state in found), "not seen"),
        is_stale=is_stale(card.last_seen),
        readings=readings_of_card(gpus, card.uuid),
        last_seen=card.last_seen,
        price=card.cost_per_hour_usd,
        conflicts=card.conflicts,
        labels=card.labels,
        is_sum=True,
    )
