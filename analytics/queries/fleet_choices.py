"""Which nodes, models, vendors and types has the registry? What the filters of the fleet offer to choose from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import CharField, QuerySet, Value

from registry.models import ComputeResource, Node, PhysicalGPU

MOST_OF_EACH: Final = 500


@dataclass(frozen=True)
class FleetChoices:
    """The values of each, by name, at most MOST_OF_EACH; `is_new` where the registry has no GPU at all."""

    node_id: list[str]
    model: list[str]
    vendor: list[str]
    resource_type: list[str]
    is_new: bool


def fleet_choices(*, tenant: str) -> FleetChoices:
    """Return what the registry of a tenant has. One statement."""
    first, *rest = _values(tenant)
    found: dict[str, list[str]] = {}
    for name, value in first.union(*rest, all=True):
        found.setdefault(name, []).append(value)
    offered = {name: sorted(filter(None, found.get(name, ()))) for name in ("node_id", "model", "vendor")}
    types = found.get("resource_type", [])
    is_new = not types and "model" not in found
    return FleetChoices(**offered, resource_type=sorted(filter(None, types)), is_new=is_new)


def _values(tenant: str) -> Iterator[QuerySet[Any, Any]]:
    sources: tuple[tuple[str, Any, str], ...] = (
        ("node_id", Node.objects, "name"),
        ("model", PhysicalGPU.objects, "model"),
        ("vendor", PhysicalGPU.objects, "vendor"),
        ("resource_type", ComputeResource.objects, "resource_type"),
    )
    for name, objects, column in sources:
        rows = objects.filter(tenant__slug=tenant).order_by(column).distinct()
        yield rows.values_list(Value(name, output_field=CharField()), column)[:MOST_OF_EACH]
