"""The mix of requests: which come how often, how slow some go, and what comes next."""

from collections.abc import Callable
from functools import partial
from random import Random

from axonize.demo import chat, completions, disaggregated, images, search
from axonize.demo.load import Moment
from axonize.demo.spans import Step

Scenario = Callable[[Moment], Step]

# How many of each are in one deck; see Traffic.
MIX: tuple[tuple[Scenario, int], ...] = (
    (partial(chat.user_chat, streaming=True), 24),
    (partial(chat.user_chat, streaming=False), 8),
    (chat.support_ticket, 10),
    (chat.long_document_chat, 2),
    (chat.missing_model_chat, 1),
    (chat.timed_out_chat, 1),
    (completions.llama_chat, 8),
    (completions.llama_through_gateway, 8),
    (completions.llama_out_of_memory, 1),
    (completions.code_completion, 16),
    (completions.staging_chat, 6),
    (images.image_generation, 6),
    (images.image_out_of_memory, 1),
    (search.rag_answer, 12),
    (search.rag_timeout, 1),
    (search.embed_documents, 6),
    (disaggregated.disaggregated_chat, 8),
)
DECK_SIZE = sum(count for _, count in MIX)

_SLOW_SHARE = 0.04


class Traffic:
    """An endless, repeatable sequence of requests: the same dice give the same requests.

    Scenarios are dealt from a shuffled deck that holds each as often as MIX says, so that every `DECK_SIZE` requests
    hold all of them.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._deck: list[Scenario] = []

    def next_request(self, offset_s: float) -> Step:
        """Return the next request, as it goes `offset_s` seconds after the demo's start (before it, when negative)."""
        if not self._deck:
            self._deck = [scenario for scenario, count in MIX for _ in range(count)]
            self._rng.shuffle(self._deck)
        # The long tail: a full disk, a cold cache, a neighbour's burst.
        slowness = self._rng.uniform(4, 12) if self._rng.random() < _SLOW_SHARE else 1.0
        return self._deck.pop()(Moment(self._rng, offset_s, slowness))
