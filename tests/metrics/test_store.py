"""The figures of several processes are added up, also of those that are gone, and each is counted once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from prometheus_client import CollectorRegistry, generate_latest

from axonize.metrics import reporter as reporters, store as stores
from axonize.metrics.merging import merged
from axonize.metrics.page import ProcessesCollector
from axonize.metrics.process import Process
from axonize.metrics.receiving import SPANS_RECEIVED
from axonize.metrics.reporter import Reporter, pause_after
from axonize.metrics.snapshot import Snapshot, key_of
from axonize.metrics.store import Store, Stored
from tests.metrics.scraping import Page
from tests.processes import finished

SPANS = "axonize_spans_received_total"
LOST = "axonize_processes_lost_total"
SUCCESS = "axonize_task_last_success_timestamp_seconds"


@pytest.fixture
def store(queue: redis.Redis) -> Iterator[Store]:
    reporters.end()  # that of a receiver which an earlier test ran in this process
    queue.flushdb()
    opened = Store()
    yield opened
    opened.close()


def report(store: Store, name: str, spans: float, *, process: str = "receiver", is_last: bool = False) -> bool:
    snapshot = Snapshot(process, "host", 1, {key_of(SPANS, {}): spans}, {}, {})
    return store.report(name, snapshot.as_text(), is_first=True, is_last=is_last)


def page_of(stored: Stored) -> Page:
    class Collected(ProcessesCollector):
        def collect(self) -> Iterator[object]:  # type: ignore[override]  # what the other one yields
            return merged(stored)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected())
    return Page(generate_latest(registry).decode())


def spans(store: Store) -> float:
    return page_of(store.read()).value(SPANS)


def test_counters_are_added_up_over_processes(store: Store) -> None:
    report(store, "a", 5)
    report(store, "b", 2**53 - 9)
    report(store, "b", 2**53 - 7)
    assert spans(store) == 2**53 - 2, "each process's last word counts, and no digit is lost"


def test_one_that_ends_leaves_its_figures_and_goes(store: Store) -> None:
    report(store, "a", 5)
    report(store, "b", 0.1, is_last=True)
    report(store, "c", 0.2, is_last=True)
    stored = store.read()
    assert len(stored.processes) == 1
    assert page_of(stored).value(SPANS) == pytest.approx(5.3, abs=1e-15)
    assert page_of(stored).value(LOST, process="receiver") == 0


def test_one_that_fell_silent_is_counted_as_gone_once_however_many_look(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    report(store, "a", 7)
    assert spans(store) == 7
    monkeypatch.setattr(stores, "LOST_MS", 0)
    with ThreadPoolExecutor(8) as scrapers:
        assert set(scrapers.map(lambda _: spans(store), range(40))) == {7}
    page = page_of(store.read())
    assert page.value(LOST, process="receiver") == 1
    assert page.value("axonize_processes", process="receiver") == 0


def test_those_that_fell_silent_are_counted_as_gone_also_where_nobody_scrapes(
    store: Store, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "LOST_MS", -1)
    for number in range(100):
        report(store, f"short-lived {number}", 1)
    assert queue.hlen(stores.KEYS[0]) == 0, "what is kept is bounded"
    assert spans(store) == 100


def test_one_that_was_silent_and_comes_back_is_not_counted_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter = Reporter(Process("receiver"), without={})
    SPANS_RECEIVED.inc(3)
    reporter.report()
    before = spans(store)
    assert before >= 3
    with monkeypatch.context() as patch:
        patch.setattr(stores, "LOST_MS", -1)
        assert spans(store) == before
    SPANS_RECEIVED.inc(4)
    reporter.report()
    assert spans(store) == before + 4
    SPANS_RECEIVED.inc(5)
    reporter.report()
    reporter.end()
    assert spans(store) == before + 9
    assert len(store.read().processes) == 0


def test_a_report_that_comes_after_the_last_one_changes_nothing(store: Store) -> None:
    reporter = Reporter(Process("receiver"), without={})
    SPANS_RECEIVED.inc(3)
    reporter.report()
    reporter.end()
    ended = spans(store)
    SPANS_RECEIVED.inc(4)
    assert reporter.report() == 0
    assert spans(store) == ended
    assert len(store.read().processes) == 0, "one that ended well is not found lost afterwards"


def test_an_emptied_redis_begins_at_nothing_and_goes_on(store: Store, queue: redis.Redis) -> None:
    reporter = Reporter(Process("receiver"), without={})
    SPANS_RECEIVED.inc(3)
    reporter.report()
    queue.flushdb()
    SPANS_RECEIVED.inc(2)
    reporter.report()
    assert spans(store) == 2
    reporter.end()


def test_the_latest_success_of_a_task_counts_also_after_its_process(store: Store) -> None:
    def succeeded(name: str, at: float, *, is_last: bool = False) -> None:
        snapshot = Snapshot("worker", "host", 1, {}, {key_of(SUCCESS, {"task": "registry_sync"}): at}, {})
        store.report(name, snapshot.as_text(), is_first=True, is_last=is_last)

    succeeded("a", 1795476369.0506823, is_last=True)
    succeeded("b", 1795476360.0, is_last=True)
    succeeded("c", 1795476361.0)
    page = page_of(store.read())
    assert page.value(SUCCESS, task="registry_sync") == 1795476369.0506823
    assert page.value(SUCCESS, task="summaries") == 0, "never"
    assert "axonize_registry_sync_lag_seconds" in page.families


def test_a_histograms_buckets_come_in_their_order_and_add_up(store: Store) -> None:
    name = "axonize_batch_spans"
    for process in ("a", "b"):
        summed = {key_of(f"{name}_bucket", {"le": bound}): count for bound, count in (("10.0", 1.0), ("+Inf", 2.0))}
        summed |= {key_of(f"{name}_count", {}): 2.0, key_of(f"{name}_sum", {}): 15.0}
        store.report(process, Snapshot("worker", "host", 1, summed, {}, {}).as_text(), is_first=True, is_last=False)
    page = page_of(store.read())
    bounds = [labels["le"] for labels in page.labels(f"{name}_bucket")]
    assert bounds == sorted(bounds, key=float)
    assert page.value(f"{name}_bucket", le="10.0") == 2
    assert (page.value(f"{name}_count"), page.value(f"{name}_sum")) == (4, 30)


def test_what_another_version_counts_is_kept_and_not_shown(store: Store) -> None:
    summed = {key_of("axonize_of_tomorrow_total", {"new": "x"}): 3.0, key_of(SPANS, {}): 1.0}
    store.report("a", Snapshot("receiver", "host", 1, summed, {}, {}).as_text(), is_first=True, is_last=True)
    assert spans(store) == 1
    assert "axonize_of_tomorrow_total" in "".join(store.read().gone)


FORKS = """
import os, django
django.setup()
from axonize.metrics import page, reporter
from axonize.metrics.receiving import SPANS_RECEIVED
SPANS_RECEIVED.inc(5)
reporter.start("worker")
child = os.fork()
if child == 0:
    reporter.start("worker")
SPANS_RECEIVED.inc(20 if child else 2)
if child == 0:
    reporter.end()
    os._exit(0)
os.waitpid(child, 0)
"""


def test_a_forked_process_does_not_tell_again_what_its_parent_counted(store: Store) -> None:
    finished("-c", FORKS, env={"DJANGO_SETTINGS_MODULE": "axonize.settings"}, check=True)
    page = page_of(store.read())
    assert page.value(SPANS) == 27, "the parent's last word comes with its exit"
    assert page.value("axonize_process_starts_total", process="worker") == 2


def test_reports_are_further_apart_where_they_take_more() -> None:
    assert pause_after(0.0005, 4000) == 2
    assert pause_after(0.004, 4000) == 4
    assert pause_after(0.0005, 80 * 1024) == 10
    assert pause_after(1, 10**9) * 1000 < stores.SILENT_MS < stores.LOST_MS
