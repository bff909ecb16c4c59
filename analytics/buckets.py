"""The buckets of time of a series: where they begin, and how wide they are when nobody says it."""

from dataclasses import dataclass
from typing import Final

from analytics.times import NS_PER_SECOND

DAY_SECONDS: Final = 86_400
# The widths that people read easily: each divides the next hour or day.
USUAL_WIDTHS_SECONDS: Final = (
    *(1, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800),
    *(3600, 7200, 14_400, 21_600, 43_200, DAY_SECONDS),
)


def usual_width_seconds(start_ns: int, end_ns: int, *, most: int) -> int:
    """Return the narrowest usual width that cuts [start_ns, end_ns) into at most `most` buckets; days at last.

    Buckets that are aligned to UTC are one more, where the range is not.
    """
    narrowest = (end_ns - start_ns) / NS_PER_SECOND / most
    for width in USUAL_WIDTHS_SECONDS:
        if width >= narrowest:
            return width
    return -int(-narrowest // DAY_SECONDS) * DAY_SECONDS


# In a query: the number of the bucket that start_time is in, 0 for the first. It binds Buckets.parameters.
BUCKET_SQL: Final = """
toUInt32(intDiv(toUnixTimestamp64Nano(start_time) - {first_bucket_ns:Int64}, {bucket_ns:Int64}))"""


@dataclass(frozen=True)
class Buckets:
    """Those that [start_ns, end_ns) touches, aligned to 1970 UTC: the first may begin before it, the last end after."""

    start_ns: int
    end_ns: int
    width_seconds: int

    @property
    def starts_ns(self) -> range:
        """When each begins, by its number."""
        width_ns = self.width_seconds * NS_PER_SECOND
        return range(self.start_ns - self.start_ns % width_ns, self.end_ns, width_ns)

    @property
    def parameters(self) -> dict[str, object]:
        return {"first_bucket_ns": self.starts_ns.start, "bucket_ns": self.starts_ns.step}

    def seconds_within(self, number: int) -> float:
        """Return how much of a bucket lies within [start_ns, end_ns)."""
        begin_ns = self.starts_ns[number]
        end_ns = begin_ns + self.starts_ns.step
        return (min(end_ns, self.end_ns) - max(begin_ns, self.start_ns)) / NS_PER_SECOND
