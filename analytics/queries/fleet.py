"""Which cards, slices and nodes are there, and which of them are idle? A page of the fleet, card by card."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Case, Count, F, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone

from analytics.queries.gpus import Gpu, gpus_of
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext

IDLE_AFTER: Final = timedelta(minutes=5)
STALE_AFTER: Final = timedelta(days=1)

# What stands on no known node comes last.
_ORDER: Final = ("has_no_node", "node_name", "uuid")
_PLACE: Final = (*_ORDER, "pk", "is_card")


@dataclass(frozen=True)
class Fleet:
    """What a question about the fleet is about: the resources, described(), and the cards that have none, described().

    A card without a resource is one that operators added and no span has named yet.
    """

    tenant: str
    resources: QuerySet[ComputeResource]
    bare_cards: QuerySet[PhysicalGPU]

    @property
    def cards(self) -> QuerySet[PhysicalGPU]:
        """The cards of these resources, described(), and the bare ones."""
        of_tenant = PhysicalGPU.objects.filter(tenant__slug=self.tenant).described()
        return of_tenant.filter(
            Q(pk__in=self.resources.order_by().values("physical")) | Q(pk__in=self.bare_cards.order_by().values("pk"))
        )


@dataclass(frozen=True)
class Unit:
    """A card and those of its resources that were asked for; or, where `card` is None, a resource on no known card."""

    node_name: str
    card: PhysicalGPU | None
    gpus: list[Gpu]


@dataclass(frozen=True)
class NodeCounts:
    """How many of these resources a node has, also on other pages, and how many of them are in service but idle."""

    resources: int = 0
    idle: int = 0


@dataclass(frozen=True)
class FleetPage:
    """Units by node, then UUID, how many there are in all, and what belongs to them, by name and by primary key."""

    units: list[Unit]
    total: int
    nodes: dict[str, Node] = field(default_factory=dict)
    counts: dict[str, NodeCounts] = field(default_factory=dict)
    holders: dict[int, list[ResourceContext]] = field(default_factory=dict)


def idle_since() -> datetime:
    """Return the moment since when a resource has run no span that is idle now."""
    return timezone.now() - IDLE_AFTER


def is_idle(since: datetime) -> Q:
    """Return the condition that no span that ran on a resource, or on a card, ended since then."""
    return Q(last_seen=None) | Q(last_seen__lt=since)


def find_fleet(fleet: Fleet, *, limit: int, offset: int) -> FleetPage:
    """Return a page of units. Seven statements and one ClickHouse query.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    places = _places(fleet)
    total = places.count()
    found: list[dict[str, Any]] = list(places.order_by(*_ORDER)[offset : offset + limit])
    if not found:
        return FleetPage([], total)
    cards = {
        card.pk: card
        for card in PhysicalGPU.objects.described().filter(pk__in=[place["pk"] for place in found if place["is_card"]])
    }
    loose = [place["pk"] for place in found if not place["is_card"]]
    gpus = gpus_of(tenant=fleet.tenant, resources=fleet.resources.filter(Q(physical__in=cards) | Q(pk__in=loose)))
    by_card, by_pk = defaultdict(list), {gpu.pk: gpu for gpu in gpus}
    for gpu in gpus:
        by_card[gpu.physical_uuid].append(gpu)
    units = []
    for place in found:
        card = cards.get(place["pk"]) if place["is_card"] else None
        own = by_card[card.uuid] if card else [by_pk[place["pk"]]] if place["pk"] in by_pk else []
        units.append(Unit(place["node_name"], card, own))
    nodes = list(Node.objects.filter(tenant__slug=fleet.tenant, name__in={unit.node_name for unit in units}))
    return FleetPage(
        units=units,
        total=total,
        nodes={node.name: node for node in nodes},
        counts=_counts(fleet, nodes),
        holders=open_holders(by_pk),
    )


def _places(fleet: Fleet) -> QuerySet[Any, Any]:
    with_resources = PhysicalGPU.objects.filter(
        tenant__slug=fleet.tenant, pk__in=fleet.resources.order_by().values("physical")
    )
    cards = [with_resources.described(), fleet.bare_cards]
    loose = fleet.resources.filter(physical=None).order_by().annotate(node_name=F("node_id"))
    first, *rest = [
        *(each.annotate(is_card=Value(1), has_no_node=_has_no_node()).values(*_PLACE) for each in cards),
        loose.annotate(is_card=Value(0), has_no_node=_has_no_node()).values(*_PLACE),
    ]
    places: QuerySet[Any, Any] = first.union(*rest, all=True)
    return places


def _has_no_node() -> Case:
    return Case(When(node_name="", then=Value(1)), default=Value(0), output_field=IntegerField())


def _counts(fleet: Fleet, nodes: Iterable[Node]) -> dict[str, NodeCounts]:
    # By the columns that have an index, and not by node_id, which is made of both.
    pks = [node.pk for node in nodes]
    in_nodes: QuerySet[Any] = fleet.resources.filter(
        Q(physical__node__in=pks) | Q(physical__node=None, seen_node__in=pks)
    )
    rows = (
        in_nodes.order_by()
        .values("node_id")
        .annotate(resources=Count("pk"), idle=Count("pk", filter=is_idle(idle_since()) & Q(retired_at=None)))
        .values_list("node_id", "resources", "idle")
    )
    return {name: NodeCounts(*counts) for name, *counts in rows}


def open_holders(pks: Iterable[int]) -> dict[int, list[ResourceContext]]:
    """Return who holds each resource now, the last who came first."""
    holders: dict[int, list[ResourceContext]] = defaultdict(list)
    for context in ResourceContext.objects.open().filter(resource__in=list(pks)).newest_first():
        holders[context.resource_id].append(context)
    return dict(holders)
