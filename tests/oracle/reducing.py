"""Makes a data set small on which an answer is wrong: takes away what it is wrong without."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tests.oracle.records import Card, Dataset, Resource, Span

# Each trial sends a data set, which takes a few tenths of a second.
MOST_TRIALS = 120

IsWrong = Callable[[Dataset], bool]
Part = tuple[int, Span] | Card | Resource

SIMPLER: tuple[Callable[[Span], dict[str, Any]], ...] = (
    lambda _span: {"attributes": {}},
    lambda _span: {"gpus": ()},
    lambda span: {"gpus": span.gpus[: len(span.gpus) // 2]},
    lambda span: {"gpus": span.gpus[len(span.gpus) // 2 :]},
    lambda span: {"gpus": span.gpus[:1]},
)


def reduce(dataset: Dataset, is_wrong: IsWrong) -> Dataset:
    """Return a part of the data set on which the answer is still wrong, small if not the smallest."""
    trials = iter(range(MOST_TRIALS))

    def is_still_wrong(parts: Sequence[Part]) -> bool:
        return next(trials, None) is not None and is_wrong(_of(dataset, parts))

    parts: list[Part] = [
        *((number, span) for number, batch in enumerate(dataset.batches) for span in batch),
        *dataset.cards,
        *dataset.resources,
    ]
    in_one_batch = [(0, part[1]) if isinstance(part, tuple) else part for part in parts]
    if is_still_wrong(in_one_batch):
        parts = in_one_batch
    size = len(parts) // 2
    while size:
        at = 0
        while at < len(parts):
            fewer = parts[:at] + parts[at + size :]
            if is_still_wrong(fewer):
                parts = fewer
            else:
                at += size
        size //= 2
    for at, part in enumerate(parts):
        if isinstance(part, tuple):
            number, span = part
            for change in SIMPLER:
                simpler = (number, replace(span, **change(span)))
                if is_still_wrong([*parts[:at], simpler, *parts[at + 1 :]]):
                    _, span = parts[at] = simpler
    return _of(dataset, parts)


def _of(dataset: Dataset, parts: Sequence[Part]) -> Dataset:
    spans = [part for part in parts if isinstance(part, tuple)]
    cards = tuple(part for part in parts if isinstance(part, Card))
    kept = {(card.tenant, card.uuid) for card in cards}
    return replace(
        dataset,
        batches=tuple(
            tuple(span for number, span in spans if number == batch)
            for batch in sorted({number for number, _ in spans})
        ),
        cards=cards,
        # without its card a resource stays, and nobody has said where it is
        resources=tuple(
            part if (part.tenant, part.card) in kept else replace(part, card="")
            for part in parts
            if isinstance(part, Resource)
        ),
    )
