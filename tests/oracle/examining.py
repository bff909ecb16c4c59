"""Asks many questions of many data sets, and explains what is wrong on as few spans as it is wrong on."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.conftest import Drain
from tests.fuzz.plugin import Tally
from tests.keys import make_key
from tests.oracle.asking import Api
from tests.oracle.model import Model
from tests.oracle.questions import Drawer, Question
from tests.oracle.records import Dataset
from tests.oracle.reducing import reduce
from tests.oracle.sending import Sender, share_out
from tests.oracle.showing import show
from tests.oracle.spans import draw_dataset

DATASETS = 2
# of each kind: to a whole data set, and before that where half its batches have come, and after traces were deleted
QUESTIONS, QUESTIONS_BETWEEN = 34, 8

Draw = Callable[[Drawer], Question]


class Loaded:
    """A data set as the server has it, in two tenants of its own; those of others lie beside it."""

    _numbers = itertools.count()

    def __init__(self, drain: Drain) -> None:
        tenants = [f"oracle-{next(self._numbers)}-{name}" for name in "ab"]
        self._sender = Sender(drain, tenants)
        self._apis = [Api(make_key(tenant, scopes=("read", "admin"), requests_per_minute=0)) for tenant in tenants]

    def bring_to(self, dataset: Dataset) -> "Loaded":
        """Send what was not sent yet and delete what was not deleted yet."""
        self._sender.send(dataset)
        began = time.monotonic()
        for tenant, trace_id in dataset.deleted:
            self._apis[tenant].delete(trace_id)
        if dataset.deleted:
            share_out(since=began)
        self.dataset = dataset
        self.models = [Model(dataset, tenant) for tenant in (0, 1)]
        return self

    def fault(self, question: Question, tenant: int) -> str | None:
        return self._apis[tenant].fault(question, self.models[tenant])


class Examination:
    """One test's questions. Of what is wrong in a kind the first is told to the tally."""

    def __init__(self, drain: Drain, tally: Tally, anchor_ns: int) -> None:
        self._drain = drain
        self._tally = tally
        self._anchor_ns = anchor_ns
        self._wrong: set[str] = set()

    def examine(self, *draws: Draw) -> None:
        for _ in range(DATASETS * self._tally.times):
            loaded = Loaded(self._drain)
            for dataset, questions in self._stages():
                loaded.bring_to(dataset)
                for draw in draws * questions:
                    self._ask(draw, loaded)

    def _stages(self) -> Iterator[tuple[Dataset, int]]:
        """Yield a data set and how many questions it is for; at times before all of it came, and after parts went."""
        dice = self._tally.dice
        whole = draw_dataset(dice, self._anchor_ns)
        if dice.random() < 0.5:
            yield replace(whole, batches=whole.batches[: len(whole.batches) // 2]), QUESTIONS_BETWEEN
        yield whole, QUESTIONS
        if dice.random() < 0.5:
            traces = sorted({(span.tenant, span.trace_id) for span in whole.spans})
            yield replace(whole, deleted=tuple(dice.sample(traces, min(3, len(traces))))), QUESTIONS_BETWEEN

    def _ask(self, draw: Draw, loaded: Loaded) -> None:
        tenant = self._tally.dice.choice((0, 0, 0, 0, 0, 1))
        question = draw(Drawer(self._tally.dice, loaded.models[tenant]))
        fault = loaded.fault(question, tenant)
        if fault is None:
            self._tally.count(draw.__name__)
        elif draw.__name__ not in self._wrong:
            self._wrong.add(draw.__name__)
            self._tally.crash(self._explain(question, tenant, fault, loaded.dataset))

    def _explain(self, question: Question, tenant: int, fault: str, dataset: Dataset) -> str:
        """Return what is wrong with the question and the least of the data set on which it is."""

        def fault_of(part: Dataset) -> str | None:
            return Loaded(self._drain).bring_to(part).fault(question, tenant)

        if fault_of(dataset) is None:
            return show(question, tenant, f"right when all is sent at once, else {fault}", dataset)
        reduced = reduce(dataset, lambda part: fault_of(part) is not None)
        return show(question, tenant, fault_of(reduced) or fault, reduced)
