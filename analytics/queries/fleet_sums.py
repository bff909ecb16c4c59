"""How is the fleet doing now? How many nodes, cards and slices it has, how much of it is used, and what it costs."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, Q, Sum

from analytics.queries.fleet import Fleet, is_idle
from analytics.queries.gpu_readings import Readings, combined_since
from registry.times import to_nanoseconds


@dataclass(frozen=True)
class FleetSums:
    """`resources` are what processes can run on, whole cards and slices; `idle` counts those of them that are.

    `readings` are one of the `measured` resources that have any of late. `cost_per_hour_usd` is that of whole cards
    where they have a price, else of their resources that have one of their own; `unpriced` resources have none.
    """

    nodes: int
    cards: int
    resources: int
    slices: int
    idle: int
    cost_per_hour_usd: Decimal
    unpriced: int
    measured: int
    readings: Readings


def fleet_sums(fleet: Fleet, *, since: datetime) -> FleetSums:
    """Sum the fleet up; idle is what ran no span since then. Three statements and one query.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    is_whole = Q(uuid=F("physical_uuid")) | Q(type_or_guess="full_gpu")
    of_resources = fleet.resources.order_by().aggregate(
        resources=Count("pk"),
        slices=Count("pk", filter=~is_whole),
        idle=Count("pk", filter=is_idle(since)),
        own_prices=Sum("set_cost_per_hour_usd", filter=Q(physical__cost_per_hour_usd=None)),
        unpriced=Count("pk", filter=Q(cost_per_hour_usd=None)),
        nodes=ArrayAgg("node_id", distinct=True, default=[]),
    )
    of_cards = fleet.cards.order_by().aggregate(
        cards=Count("pk"),
        prices=Sum("cost_per_hour_usd"),
        nodes=ArrayAgg("node_name", distinct=True, default=[]),
    )
    in_use = fleet.resources.order_by().exclude(is_idle(since)).values_list("uuid", "physical_id", "gi_id")
    instances = {uuid: uuid if gi_id is None else (card, gi_id) for uuid, card, gi_id in in_use}
    measured, readings = combined_since(tenant=fleet.tenant, since_ns=to_nanoseconds(since), instances=instances)
    return FleetSums(
        nodes=len({*of_resources["nodes"], *of_cards["nodes"]} - {""}),
        cards=of_cards["cards"],
        resources=of_resources["resources"],
        slices=of_resources["slices"],
        idle=of_resources["idle"],
        cost_per_hour_usd=(of_cards["prices"] or Decimal(0)) + (of_resources["own_prices"] or Decimal(0)),
        unpriced=of_resources["unpriced"],
        measured=measured,
        readings=readings,
    )
