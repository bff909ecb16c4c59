"""What the URL of each page says: the time range, and the filters that pages share."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from analytics.params import QueryParameters, TextField, TimeField
from analytics.times import NS_PER_SECOND, format_time
from analytics.views.filtering import FilterParameters

RANGES: Final = {
    "15m": 900,
    "1h": 3600,
    "6h": 21_600,
    "24h": 86_400,
    "3d": 3 * 86_400,
    "7d": 7 * 86_400,
    "30d": 30 * 86_400,
}
"""The ranges until now that the picker offers, in seconds."""
DEFAULT_RANGE: Final = "1h"

# What <input type="datetime-local"> sends: a time of the viewer's zone.
_WITHOUT_OFFSET: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)


@dataclass(frozen=True)
class Window:
    """The time range [start_ns, end_ns); `range` is its key in RANGES where it ends now, else "" for it is fixed."""

    start_ns: int
    end_ns: int
    range: str

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / NS_PER_SECOND


class WindowParameters(QueryParameters):
    """A time range: one until now, the last hour by default, or a fixed one. And whose data, for staff."""

    range = serializers.ChoiceField(list(RANGES), required=False)
    start = TimeField(required=False)
    end = TimeField(required=False)
    tenant = TextField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "range" in attrs and ("start" in attrs or "end" in attrs):
            raise ValidationError({"range": "Give either a range, or a start and an end."}, code="invalid")
        return super().validate(attrs)


class ViewParameters(WindowParameters, FilterParameters):
    """A time range, and the filters of the API."""


def window_of(parameters: Mapping[str, Any]) -> Window:
    """Return the range that validated WindowParameters ask for; without a start the day before the end."""
    if "start" not in parameters and "end" not in parameters:
        name = parameters.get("range", DEFAULT_RANGE)
        end_ns = time.time_ns()
        return Window(end_ns - RANGES[name] * NS_PER_SECOND, end_ns, name)
    end_ns = parameters.get("end", time.time_ns())
    start_ns = parameters.get("start", end_ns - RANGES["24h"] * NS_PER_SECOND)
    if start_ns > end_ns:
        raise ValidationError({"start": "Give a start that is not in the future, or an end too."}, code="invalid")
    return Window(start_ns, end_ns, "")


def settled(query: QueryDict, zone: ZoneInfo) -> QueryDict:
    """Return the query as links have it: without what a form left empty, and with the offsets of times of `zone`.

    So a view that is shared shows the same to whoever is in another zone.
    """
    result = query.copy()
    for name, values in query.lists():
        kept = [value for value in values if value]
        if name in {"start", "end"}:
            kept = [_with_offset(value, zone) for value in kept]
        if kept:
            result.setlist(name, kept)
        else:
            del result[name]
    return result


def _with_offset(text: str, zone: ZoneInfo) -> str:
    if not _WITHOUT_OFFSET.fullmatch(text):
        return text
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        return text
    return format_time(int(moment.timestamp()) * NS_PER_SECOND + moment.microsecond * 1000)
