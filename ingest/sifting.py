"""Which parts of a batch fail, found by halving and trying, with a bounded number of trials. Pure but for the trial."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count

from axonize.clickhouse.errors import ClickHouseError
from ingest.frames import with_only
from ingest.intake import enclose

TRIALS_MAX = 500  # one bad span of 50,000 takes about 40


@dataclass(frozen=True)
class Part:
    """Spans of one request that stand or fall together; `numbers` counts the request's spans from 0."""

    position: int
    tenant: str
    request: bytes
    numbers: range
    frame: bytes

    @property
    def halves(self) -> "list[Part]":
        """Return two parts with half of the spans each, none where there is nothing to halve."""
        if len(self.numbers) < 2:  # noqa: PLR2004  one span can't be halved
            return []
        middle = len(self.numbers) // 2
        return [self._of(self.numbers[:middle]), self._of(self.numbers[middle:])]

    def _of(self, numbers: range) -> "Part":
        frame, _ = enclose(with_only(self.request, numbers), self.tenant)
        return Part(self.position, self.tenant, self.request, numbers, frame)


@dataclass(frozen=True)
class Refused:
    """Parts that can't be stored, as far as they were told apart, and why."""

    parts: Sequence[Part]
    error: ClickHouseError


Trial = Callable[[bytes], ClickHouseError | None]


def sift(parts: Sequence[Part], trial: Trial, *, most: int = TRIALS_MAX) -> tuple[list[Part], list[Refused]]:
    """Return which parts can be stored together, in their order, and which can't.

    `trial` tells why ClickHouse refuses frames, None where it takes them; what it raises ends the search. It is called
    `most` times and a few. The largest group is halved first, so that what is left when the trials are used up is
    small; each such group is refused as a whole. Nothing is refused where all parts together pass.
    """
    error = trial(frames(parts))
    if error is None:
        return list(parts), []
    good: list[Part] = []
    refused: list[Refused] = []
    order = count()
    failing = [(-spans(parts), next(order), parts, error)]
    trials = 1
    while failing and trials + 2 <= most:
        _, _, group, error = heapq.heappop(failing)
        halves = _halves(group)
        if not halves:
            refused.append(Refused(group, error))
        for half in halves:
            trials += 1
            error = trial(frames(half))
            if error is None:
                good.extend(half)
            else:
                heapq.heappush(failing, (-spans(half), next(order), half, error))
    refused.extend(Refused(group, error) for _, _, group, error in failing)
    good.sort(key=lambda part: (part.position, part.numbers.start))
    # Parts that pass alone and fail together are parted: what is refused here can be stored in a batch of its own.
    while good and (error := trial(frames(good))):
        middle = len(good) // 2
        refused.append(Refused(good[middle:], error))
        good = good[:middle]
    return good, refused


def frames(parts: Iterable[Part]) -> bytes:
    """Return parts as a batch of their own."""
    return b"".join(part.frame for part in parts)


def spans(parts: Iterable[Part]) -> int:
    """Return how many spans parts have."""
    return sum(len(part.numbers) for part in parts)


def _halves(group: Sequence[Part]) -> list[Sequence[Part]]:
    if len(group) > 1:
        middle = len(group) // 2
        return [group[:middle], group[middle:]]
    return [[half] for half in group[0].halves]
