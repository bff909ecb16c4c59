"""Times between ClickHouse, integer nanoseconds since 1970 UTC, and PostgreSQL, aware datetimes in microseconds."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_MICROSECOND: Final = 1000


def to_datetime(nanoseconds: int) -> datetime:
    """Return the moment, cut to microseconds. Exact, where a float would not be."""
    return _EPOCH + timedelta(microseconds=nanoseconds // _NS_PER_MICROSECOND)


def to_nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * _NS_PER_MICROSECOND
