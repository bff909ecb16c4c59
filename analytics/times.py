"""Times between the API and ClickHouse: RFC 3339 text outside, integer nanoseconds since 1970 UTC inside."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

NS_PER_SECOND: Final = 1_000_000_000
NS_PER_MINUTE: Final = 60 * NS_PER_SECOND
NS_PER_HOUR: Final = 60 * NS_PER_MINUTE
NS_PER_MS: Final = 1_000_000

# What DateTime64(9) can hold (https://clickhouse.com/docs/sql-reference/data-types/datetime64), to the second.
MIN_NS: Final = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()) * NS_PER_SECOND
MAX_NS: Final = int(datetime(2262, 4, 11, 23, 47, 16, tzinfo=UTC).timestamp()) * NS_PER_SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A plus sign that nobody percent-encoded arrives as a space; no other reading of it is possible there.
_RFC_3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+ -])(\d\d):(\d\d))",
    re.ASCII,
)


class _Seconds(dict[bytes, int]):
    """The nanoseconds since 1970 of whole seconds (2026-02-07T10:00:00), each worked out once."""

    def __missing__(self, text: bytes) -> int:
        since = datetime.fromisoformat(f"{text.decode()}+00:00") - _EPOCH
        self[text] = (since.days * 86_400 + since.seconds) * NS_PER_SECOND
        return self[text]


def parse_time(text: str) -> int:
    """Nanoseconds since 1970 UTC of an RFC 3339 time (section 5.6) of any offset; digits past the ninth are cut off.

    Raises ValueError with a sentence for the asker when the text is no such time or outside 1900 to 2262-04-11.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError("Give an RFC 3339 time with its offset, such as 2026-02-07T10:00:00.123456789Z.")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, zulu, sign, offset_hour, offset_minute = match.groups()[6:]
    offset = timedelta()
    if not zulu:
        offset = timedelta(hours=int(offset_hour), minutes=int(offset_minute))
        offset = -offset if sign == "-" else offset
    leap_second = second == 60  # noqa: PLR2004 - RFC 3339 allows it; POSIX time has no place for it
    try:
        moment = datetime(
            year, month, day, hour, minute, 59 if leap_second else second, tzinfo=timezone(offset)
        ) + timedelta(seconds=leap_second)
        since = moment - _EPOCH
    except (ValueError, OverflowError) as error:
        raise ValueError("There is no such day, time or offset.") from error
    nanoseconds = (since.days * 86_400 + since.seconds) * NS_PER_SECOND + int((fraction or "")[:9].ljust(9, "0"))
    if not MIN_NS <= nanoseconds <= MAX_NS:
        raise ValueError("Give a time between 1900-01-01 and 2262-04-11.")
    return nanoseconds


def format_time(nanoseconds: int) -> str:
    """Return the RFC 3339 text in UTC, with nine digits after the point: 2026-02-07T10:00:00.123456789Z."""
    seconds, fraction = divmod(nanoseconds, NS_PER_SECOND)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


def nanoseconds_of(texts: Iterable[bytes]) -> list[int]:
    """Return the nanoseconds since 1970 UTC of times as axonize.clickhouse.json_rows has them, with nine digits."""
    seconds = _Seconds()
    return [seconds[text[1:20]] + int(text[21:30]) for text in texts]


def milliseconds(nanoseconds: float) -> float:
    """Return a duration in milliseconds as the API shows it; exact below 104 days."""
    return nanoseconds / NS_PER_MS
