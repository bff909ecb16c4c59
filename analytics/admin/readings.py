"""The latest readings of a page of the admin's list, in one query; without ClickHouse the list has none and says so."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.views import ChangeList

from analytics.queries.gpu_readings import Key, Readings, latest_readings_of_tenants
from analytics.times import NS_PER_SECOND
from axonize.clickhouse.errors import ClickHouseError
from registry.times import to_datetime

AWAY: Final = "ClickHouse does not answer, so there are no readings here; the registry itself can be worked on."
# What slices measure within this time is of one moment; what one measured earlier, or before it was retired, is not.
_ONE_MOMENT_NS: Final = 300 * NS_PER_SECOND


@dataclass(frozen=True)
class Usage:
    """How much a card or a slice is used: percent, GiB, and the moment (ns since 1970); None where unknown."""

    utilization: float | None = None
    memory_used_gb: float | None = None
    reading_at_ns: int | None = None


class ReadingsChangeList(ChangeList):
    """A list whose rows carry `usage`. Its admin says in `resource_keys` which resources a page's rows have."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)  # which stays a QuerySet, for the editable columns, and keeps these objects
        keys: dict[Any, list[Key]] = self.model_admin.resource_keys(rows)
        try:
            readings = latest_readings_of_tenants({key for of_row in keys.values() for key in of_row})
        except ClickHouseError:
            readings = {}
            messages.warning(request, AWAY)
        for row in rows:
            row.usage = usage_of([readings[key] for key in keys.get(row.pk, ()) if key in readings])


def usage_of(readings: Collection[Readings]) -> Usage:
    """Make one of a card's slices, as the API does: memory is summed up, utilization averaged."""
    moments = [reading.reading_at_ns for reading in readings if reading.reading_at_ns is not None]
    if not moments:
        return Usage()
    latest = max(moments)
    of_moment = [r for r in readings if r.reading_at_ns is not None and r.reading_at_ns > latest - _ONE_MOMENT_NS]
    busy = [r.utilization for r in of_moment if r.utilization is not None]
    used = [r.memory_used_gb for r in of_moment if r.memory_used_gb is not None]
    return Usage(
        utilization=sum(busy) / len(busy) if busy else None,
        memory_used_gb=sum(used) if used else None,
        reading_at_ns=latest,
    )


def percent(usage: Usage) -> SafeString | None:
    return None if usage.utilization is None else _measured(usage, f"{usage.utilization:.0f} %")


def gibibytes(usage: Usage) -> SafeString | None:
    return None if usage.memory_used_gb is None else _measured(usage, f"{usage.memory_used_gb:.1f} GiB")


def _measured(usage: Usage, text: str) -> SafeString:
    """Return a reading with, under the pointer, when it was taken."""
    taken = f"measured {to_datetime(usage.reading_at_ns or 0):%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<span class="ax-nowrap" title="{}">{}</span>', taken, text)
