"""How wide the buckets of a series are when nobody says it."""

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
