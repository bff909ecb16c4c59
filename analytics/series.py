"""A series: what is in each bucket of time, of everything together or of each of some groups; without gaps."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analytics.buckets import Buckets
from analytics.times import format_time

MAX_POINTS: Final = 10_000

# The numbers of one bucket by their names, as the API shows them: there are thousands, too many for classes.
Values = Mapping[str, float | None]


class TooManyPoints(Exception):
    """The buckets times the groups are more than MAX_POINTS."""


@dataclass(frozen=True)
class Series:
    """Each group's name and its values by number of bucket, in order of traffic; one group, None, where nobody grouped.

    `empty` is what a bucket without values has. Raises TooManyPoints.
    """

    buckets: Buckets
    groups: Sequence[tuple[str | None, Mapping[int, Values]]]
    empty: Values

    def __post_init__(self) -> None:
        if len(self.groups) * len(self.buckets.starts_ns) > MAX_POINTS:
            raise TooManyPoints

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield the API's point of each bucket and group, by time and then group."""
        for number, start_ns in enumerate(self.buckets.starts_ns if self.groups else ()):
            timestamp = format_time(start_ns)
            for group, values in self.groups:
                value = values.get(number, self.empty)
                if group is None:
                    yield {"timestamp": timestamp, **value}
                else:
                    yield {"timestamp": timestamp, "group": group, **value}


def most_groups(buckets: Buckets, *, at_most: int) -> int:
    """Return how many groups a query needs to bring: `at_most`, or the fewest that are too many points."""
    return min(at_most, MAX_POINTS // max(len(buckets.starts_ns), 1) + 1)
