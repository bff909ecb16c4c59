"""The page that is scraped, of one web process."""

import logging

import pytest
import redis
from django.conf import LazySettings as Settings
from django.test import Client as Browser

from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.errors import ClickHouseError, QueryTooLarge
from axonize.metrics import reporter
from ingest.models import DeadLetter
from ingest.queue import SealedBatches, connect
from ingest.tasks import write_batch
from tests.ingest.poison import TOO_LONG_ID, frames, requests, sealed
from tests.metrics.scraping import Page

pytestmark = pytest.mark.django_db(transaction=True)


def scraped(browser: Browser) -> Page:
    answer = browser.get("/metrics")
    assert answer.status_code == 200
    return Page(answer.content.decode())


@pytest.mark.usefixtures("queue")
def test_methods_that_clients_make_up_are_one_label(client: Browser) -> None:
    for number in range(20):
        client.generic(f"MADEUP{number}", "/healthz")
        client.get(f"/api/v1/traces/{number:032x}")
        client.get(f"/nowhere/{number}")
    page = scraped(client)
    for name, metric in page.families.items():
        if name.startswith("django_"):
            told = [label for sample in metric.samples for label in sample.labels.values()]
            assert not [label for label in told if "MADEUP" in label or "nowhere" in label or "0000" in label], name
    count = "django_http_requests_latency_seconds_by_view_method_count"
    assert page.total(count, method="<invalid method>") >= 20


def test_while_redis_is_away_no_counter_is_told_for_it_would_seem_to_fall(
    client: Browser, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    with caplog.at_level(logging.CRITICAL):
        page = scraped(client)
    assert page.value("axonize_check_ok", check="redis") == 0
    assert page.value("axonize_check_ok", check="postgres") == 1
    assert "axonize_dead_letters" in page.families
    assert not [name for name in page.families if name.endswith("_total")]


@pytest.mark.usefixtures("queue")
def test_a_process_that_reports_counts_itself_once(client: Browser) -> None:
    before = scraped(client).total("django_http_requests_before_middlewares_total")
    reporter.start("web")
    try:
        first, second = (scraped(client).total("django_http_requests_before_middlewares_total") for _ in range(2))
    finally:
        reporter.end()
    assert (first, second) == (before + 1, before + 2)


@pytest.mark.usefixtures("queue", "clickhouse")
def test_a_query_is_timed_by_the_module_that_asks_and_its_errors_by_their_kind(client: Browser) -> None:
    count, errors = "axonize_clickhouse_query_duration_seconds_count", "axonize_clickhouse_query_errors_total"
    before = scraped(client)
    assert client.get("/api/v1/traces").status_code == 200
    clickhouse.query("SELECT 1")
    with pytest.raises(QueryTooLarge):
        clickhouse.query("SELECT number FROM numbers(300000)")
    with pytest.raises(ClickHouseError):
        clickhouse.query("SELECT no_such_column")
    after = scraped(client)

    def more(name: str, **labels: str) -> float:
        return after.total(name, **labels) - before.total(name, **labels)

    assert more(count, module="analytics.queries.traces") >= 1
    assert more(count, module=__name__) == 3
    assert [more(errors, kind=kind) for kind in ("too_large", "refused", "unavailable")] == [1, 1, 0]


@pytest.mark.usefixtures("queue", "clickhouse")
def test_a_batch_is_counted_with_what_was_bad_in_it(client: Browser) -> None:
    names = ["axonize_batches_written_total", "axonize_batch_bisections_total", "axonize_dead_letters_stored_total",
             "axonize_batch_spans_count", "axonize_batch_write_duration_seconds_count"]  # fmt: skip
    before = scraped(client)
    bodies = requests(3)
    bodies[1].resource_spans[0].scope_spans[0].spans[4].trace_id = TOO_LONG_ID
    write_batch.apply(args=(sealed(frames(bodies)),), throw=True)
    after = scraped(client)
    assert [after.total(name) - before.total(name) for name in names] == [1, 1, 1, 1, 1]
    assert DeadLetter.objects.count() == 1
    assert after.total("axonize_dead_letters") == 1


def test_the_oldest_batch_tells_for_how_long_the_queue_waits(client: Browser, queue: redis.Redis) -> None:
    open_age, sealed_age = (f"axonize_queue_oldest_{kind}_batch_age_seconds" for kind in ("open", "sealed"))
    page = scraped(client)
    assert (page.value(open_age), page.value(sealed_age)) == (0, 0)
    seconds, _ = queue.time()
    queue.zadd("axonize:open", {"r": (seconds - 50) * 1000})
    batch_id = sealed(frames(requests(1)))
    queue.zadd("axonize:sealed_at", {batch_id: (seconds - 100) * 1000})
    page = scraped(client)
    assert 50 <= page.value(open_age) < 90
    assert 100 <= page.value(sealed_age) < 140
    SealedBatches(connect()).discard(batch_id)
    assert scraped(client).value(sealed_age) == 0
