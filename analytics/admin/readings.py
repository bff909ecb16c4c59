"""The latest readings of a page of the admin's list, in one query; without ClickHouse the list has none and says so."""

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Part:
    """A resource that a row of the list measures by: its key, and what counts once however many resources share it.

    `instance` is a GPU instance, whose memory its compute instances share; None for the row's own resource, whose
    readings count alone.
    """

    key: Key
    instance: object = None


class ReadingsChangeList(ChangeList):
    """A list whose rows carry `usage`. Its admin says in `parts_of` which resources a page's rows have."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)  # which stays a QuerySet, for the editable columns, and keeps these objects
        parts: dict[Any, list[Part]] = self.model_admin.parts_of(rows)
        try:
            readings = latest_readings_of_tenants({part.key for of_row in parts.values() for part in of_row})
        except ClickHouseError:
            readings = {}
            messages.warning(request, AWAY)
        for row in rows:
            row.usage = usage_of([(part, readings[part.key]) for part in parts.get(row.pk, ()) if part.key in readings])


def usage_of(measured: Sequence[tuple[Part, Readings]]) -> Usage:
    """Make one of what a row's parts measure, as the API does of a card's slices: nothing counts twice."""
    moments = [reading.reading_at_ns for _, reading in measured if reading.reading_at_ns is not None]
    if not moments:
        return Usage()
    latest = max(moments)
    of_moment = [(part, r) for part, r in measured if (r.reading_at_ns or 0) > latest - _ONE_MOMENT_NS]
    busy = _counted([(part, r.utilization) for part, r in of_moment if r.utilization is not None])
    used = _counted([(part, r.memory_used_gb) for part, r in of_moment if r.memory_used_gb is not None])
    instances = {part.instance: 0.0 for part, _ in used}
    for part, memory_gb in used:
        instances[part.instance] = max(instances[part.instance], memory_gb)
    return Usage(
        utilization=sum(value for _, value in busy) / len(busy) if busy else None,
        memory_used_gb=sum(instances.values()) if used else None,
        reading_at_ns=latest,
    )


def _counted(readings: list[tuple[Part, float]]) -> list[tuple[Part, float]]:
    """Return the row's own reading where it has one, else all."""
    return [each for each in readings if each[0].instance is None] or readings


def percent(usage: Usage) -> SafeString | None:
    return None if usage.utilization is None else _measured(usage, f"{usage.utilization:.0f} %")


def gibibytes(usage: Usage) -> SafeString | None:
    return None if usage.memory_used_gb is None else _measured(usage, f"{usage.memory_used_gb:.1f} GiB")


def _measured(usage: Usage, text: str) -> SafeString:
    """Return a reading with, under the pointer, when it was taken."""
    taken = f"measured {to_datetime(usage.reading_at_ns or 0):%Y-%m-%d %H:%M:%S} UTC"
    return format_html('<span class="ax-nowrap" title="{}">{}</span>', taken, text)
