"""Dead letters once they are kept: listed, shown, replayed, purged, seen in the admin and in the metrics."""

import io
import json
import re
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import redis
from clickhouse_connect.driver import Client
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client import CollectorRegistry, generate_latest
from pytest_django.fixtures import Settings

from ingest import dead_letters, tasks
from ingest.dead_letters import Letter
from ingest.metrics import IngestCollector
from ingest.models import DeadLetter
from ingest.queue import QueueDepth, SealedBatches, connect
from ingest.replay import Outcome, replay
from tests.conftest import Drain
from tests.ingest.poison import TOO_LONG_ID
from tests.otlp import request, span
from tests.stored import names

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue")]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY_NS = 86_400 * 10**9


def letter_of(*spans: Span, tenant: str = "default", error: str = "SOME_ERROR") -> Letter:
    body = request(*spans).SerializeToString()
    return Letter(tenant, error, f"{error} (1): It was so", len(spans), body)


BYTES = Letter("", "DAMAGED_BYTES", "No frame.", 0, b"\x00\xff" * 20)


def kept(*letters: Letter, batch_id: str = "batch", failed_at: datetime = NOW) -> list[int]:
    """Keep letters as those of one batch and return their ids."""
    dead_letters.store(batch_id, dead_letters.packed(letters, failed_at=failed_at))
    return list(DeadLetter.objects.filter(batch_id=batch_id).order_by("number").values_list("pk", flat=True))


def command(*arguments: str) -> str:
    output = io.StringIO()
    call_command("dead_letters", *arguments, stdout=output, stderr=output)
    return output.getvalue()


def left() -> list[int]:
    return list(DeadLetter.objects.order_by("pk").values_list("pk", flat=True))


def test_letters_are_kept_as_they_were_packed() -> None:
    kept(letter_of(span("a"), tenant="vision-lab"), BYTES)
    rows = list(DeadLetter.objects.order_by("number"))
    assert [(row.tenant, row.error, row.spans, row.failed_at) for row in rows] == [
        ("vision-lab", "SOME_ERROR", 1, NOW),
        ("", "DAMAGED_BYTES", 0, NOW),
    ]
    assert bytes(rows[1].body) == BYTES.body
    assert (
        ExportTraceServiceRequest.FromString(bytes(rows[0].body)).resource_spans[0].scope_spans[0].spans[0].name == "a"
    )
    assert [row.size_bytes for row in rows] == [len(bytes(row.body)) for row in rows]


def test_letters_that_are_stored_again_are_there_once() -> None:
    value = dead_letters.packed([BYTES, BYTES], failed_at=NOW)
    for _ in range(2):
        dead_letters.store("batch", value)
    assert DeadLetter.objects.count() == 2


def test_what_a_text_of_postgresql_cannot_hold_is_kept_as_far_as_it_can() -> None:
    kept(Letter("a\0b" + "c" * 300, "E\0", "r\0" * 2000, 0, b""))
    row = DeadLetter.objects.get()
    assert row.tenant.startswith("a�bccc")
    assert len(row.reason) == 1000


def test_the_list_tells_of_each_letter_the_newest_first() -> None:
    [first] = kept(letter_of(span()), batch_id="b1")
    [second] = kept(BYTES, batch_id="b2", failed_at=NOW + timedelta(days=1))
    lines = command("list").splitlines()
    assert [line.split()[0] for line in lines] == ["id", str(second), str(first)]
    assert "SOME_ERROR (1): It was so" in lines[2]
    told = [json.loads(line) for line in command("list", "--format", "json").splitlines()]
    assert [(one["id"], one["tenant"], one["spans"], one["batch_id"]) for one in told] == [
        (second, "", 0, "b2"),
        (first, "default", 1, "b1"),
    ]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ((), [0, 1, 2]),
        (("--tenant", "a"), [0]),
        (("--reason", "damaged"), [2]),
        (("--reason", "it was so"), [0, 1]),
        (("--since", "2026-03-02"), [1, 2]),
        (("--tenant", "b", "--since", "2026-03-02T12:00:01+00:00"), []),
    ],
)
def test_a_filter_cuts_the_list_down(filters: Sequence[str], found: list[int]) -> None:
    ids = kept(letter_of(span(), tenant="a"), batch_id="b1")
    ids += kept(letter_of(span(), tenant="b"), BYTES, batch_id="b2", failed_at=NOW + timedelta(days=1))
    told = [json.loads(line)["id"] for line in command("list", "--format", "json", *filters).splitlines()]
    assert sorted(told) == [ids[at] for at in found]


def test_show_prints_spans_as_text_and_other_bytes_as_hex() -> None:
    spans_id, bytes_id = kept(letter_of(span("generate", attributes={"prompt": "Grüße"})), BYTES)
    shown = command("show", str(spans_id))
    assert 'name: "generate"' in shown
    assert "Grüße" in shown
    assert "00 ff 00 ff" in command("show", str(bytes_id))


def test_show_raw_writes_the_bytes_of_one_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = kept(BYTES, BYTES)
    stdout = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", stdout)
    command("show", "--raw", str(first))
    assert stdout.buffer.getvalue() == BYTES.body
    with pytest.raises(CommandError, match="Name one dead letter"):
        command("show", "--raw")


def test_a_replayed_letter_is_stored_for_its_tenant_and_gone(clickhouse: Client, drain: Drain) -> None:
    [letter_id] = kept(letter_of(span("a"), span("b"), tenant="vision-lab"))
    assert command("replay", str(letter_id)) == "1 taken by the queue, 0 left.\n"
    assert left() == []
    assert drain() == 1
    assert names(clickhouse) == ["a", "b"]
    assert clickhouse.query("SELECT DISTINCT tenant FROM spans").result_rows == [("vision-lab",)]


def test_a_letter_of_several_spans_is_replayed_as_a_batch_of_its_own(clickhouse: Client, drain: Drain) -> None:
    kept(letter_of(span("a")), letter_of(span("b"), span("c")), letter_of(span("d")))
    command("replay")
    assert drain() == 3
    assert names(clickhouse) == list("abcd")


def test_letters_that_are_replayed_together_are_one_batch_and_a_worker_is_told(
    queue: redis.Redis, drain: Drain, clickhouse: Client
) -> None:
    kept(*[letter_of(span(str(number))) for number in range(5)])
    command("replay")
    assert queue.llen("celery") == 1
    assert drain() == 1
    assert names(clickhouse) == list("01234")


def test_a_letter_that_is_replayed_twice_is_stored_once(clickhouse: Client, drain: Drain) -> None:
    """As after a death between the queue's answer and the deletion: the letter is still there."""
    letter = letter_of(span("a"))
    for _ in range(2):
        [letter_id] = kept(letter)
        assert list(replay([letter_id])) == [Outcome(letter_id)]
    drain()
    assert names(clickhouse) == ["a"]


def test_a_letter_with_the_very_bytes_of_the_clients_request_is_stored(clickhouse: Client, drain: Drain) -> None:
    """The request's digest is still remembered; the letter is not taken for the same request."""
    body = letter_of(span("a"))
    for batch_id in ("b1", "b2"):
        list(replay(kept(body, batch_id=batch_id)))
    drain()
    assert names(clickhouse) == ["a", "a"]


@pytest.mark.parametrize(
    ("letter", "reason"),
    [
        (letter_of(span(trace_id=TOO_LONG_ID)), "trace_id must be 16 bytes"),
        (letter_of(span("good"), span(start_ns=time.time_ns() - 40 * DAY_NS)), "further back than spans are kept"),
        (BYTES, "can't be decoded"),
        (Letter("default", "E", "E", 1, b"\xff\xff"), "is not a protobuf"),
    ],
    ids=["still bad", "too old by now", "no spans", "no request"],
)
def test_what_the_intake_refuses_stays_and_the_reason_is_told(letter: Letter, reason: str) -> None:
    [letter_id] = kept(letter)
    output = command("replay")
    assert reason in output
    assert "0 taken by the queue, 1 left." in output
    assert left() == [letter_id]
    assert SealedBatches(connect()).depth() == QueueDepth(sealed_batches=0, queued_bytes=0)


def test_a_full_queue_ends_the_replay_and_the_letters_stay(settings: Settings) -> None:
    ids = kept(letter_of(span()), letter_of(span()))
    settings.QUEUE_MAX_BYTES = 1
    [outcome] = replay(ids)
    assert "The queue is full" in outcome.refusal
    assert left() == ids


def test_a_queue_that_is_away_ends_the_replay_and_the_letters_stay(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = kept(letter_of(span()))
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    monkeypatch.setattr(tasks.write_batch, "apply_async", None)
    assert "not reachable" in command("replay")
    assert left() == ids


def test_purge_deletes_what_was_named_and_all_only_when_it_is_meant() -> None:
    one, two, three = kept(letter_of(span(), tenant="a"), letter_of(span(), tenant="b"), BYTES)
    with pytest.raises(CommandError, match="--yes"):
        command("purge")
    assert left() == [one, two, three]
    assert command("purge", str(three)) == "1 deleted.\n"
    assert command("purge", "--tenant", "a") == "1 deleted.\n"
    assert left() == [two]
    assert command("purge", "--yes") == "1 deleted.\n"
    assert left() == []


@pytest.fixture
def staff(client: Browser) -> Browser:
    client.force_login(User.objects.create_superuser("ops"))
    return client


LIST = "admin:ingest_deadletter_changelist"


def test_the_admin_lists_letters_without_their_bodies_in_as_many_queries_for_many_as_for_few(staff: Browser) -> None:
    def asked() -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(reverse(LIST)).status_code == 200
        return [query["sql"] for query in captured]

    kept(letter_of(span()), batch_id="b0")
    asked()
    few = asked()
    for number in range(1, 8):
        kept(letter_of(span(), tenant=f"tenant-{number}"), batch_id=f"b{number}")
    many = asked()
    assert len(many) == len(few)
    assert not [sql for sql in many if '"body"' in sql]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"tenant": "a"}, ["alpha"]),
        ({"error": "OTHER"}, ["beta"]),
        ({"q": "b2"}, ["beta"]),
        ({"failed_at__gte": "2026-03-02T00:00:00Z"}, ["beta"]),
    ],
)
def test_the_admin_finds_letters(staff: Browser, query: dict[str, str], found: list[str]) -> None:
    kept(Letter("a", "SOME", "alpha", 0, b""), batch_id="b1")
    kept(Letter("b", "OTHER", "beta", 0, b""), batch_id="b2", failed_at=NOW + timedelta(days=1))
    page = staff.get(reverse(LIST), query).content.decode()
    assert [word for word in ("alpha", "beta") if re.search(rf"field-reason [^>]*>{word}", page)] == found


def test_the_admin_shows_what_is_in_a_letter_and_lets_nobody_change_it(staff: Browser) -> None:
    [letter_id] = kept(letter_of(span("<generate>")))
    address = reverse("admin:ingest_deadletter_change", args=[letter_id])
    page = staff.get(address).content.decode()
    assert "name: &quot;&lt;generate&gt;&quot;" in page
    assert 'name="_save"' not in page
    assert staff.post(address, {"reason": "edited"}).status_code == 403
    assert staff.get(reverse("admin:ingest_deadletter_add")).status_code == 403


def test_the_admin_cuts_what_is_too_long_for_a_page(staff: Browser) -> None:
    [letter_id] = kept(letter_of(span("x" * 300_000)))
    page = staff.get(reverse("admin:ingest_deadletter_change", args=[letter_id])).content.decode()
    assert f"manage.py dead_letters show {letter_id} has all of it" in page
    assert len(page) < 250_000


def test_the_admin_replays_what_is_selected_and_tells_what_stays(
    staff: Browser, clickhouse: Client, drain: Drain
) -> None:
    good, bad, unselected = kept(letter_of(span("a")), BYTES, letter_of(span("b")))
    answer = staff.post(reverse(LIST), {"action": "replay", "_selected_action": [good, bad]}, follow=True)
    page = answer.content.decode()
    assert "1 dead letter taken by the queue." in page
    assert f"{bad} stays: " in page
    assert left() == [bad, unselected]
    drain()
    assert names(clickhouse) == ["a"]


def test_the_admin_deletes_what_is_selected(staff: Browser) -> None:
    first, second = kept(BYTES, BYTES)
    form = {"action": "delete_selected", "_selected_action": [first], "post": "yes"}
    assert staff.post(reverse(LIST), form, follow=True).status_code == 200
    assert left() == [second]


def scraped() -> str:
    registry = CollectorRegistry()
    registry.register(IngestCollector())
    return generate_latest(registry).decode()


def test_the_metrics_count_the_queue_and_each_tenants_dead_letters(queue: redis.Redis) -> None:
    kept(letter_of(span(), tenant="a"), letter_of(span(), tenant="a"), letter_of(span(), tenant="b"))
    queue.set("axonize:queued_bytes", 1234)
    queue.zadd("axonize:sealed", {"b1": 1, "b2": 2})
    told = scraped().splitlines()
    assert 'axonize_dead_letters{tenant="a"} 2.0' in told
    assert 'axonize_dead_letters{tenant="b"} 1.0' in told
    assert "axonize_queue_bytes 1234.0" in told
    assert "axonize_queue_sealed_batches 2.0" in told


def test_a_scrape_of_the_web_process_tells_of_dead_letters(client: Browser) -> None:
    kept(letter_of(span(), tenant="vision-lab"))
    assert 'axonize_dead_letters{tenant="vision-lab"} 1.0' in client.get("/metrics").content.decode()


def test_an_engine_that_is_away_leaves_only_its_own_metrics_out(settings: Settings) -> None:
    kept(letter_of(span(), tenant="a"))
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    told = scraped()
    assert "axonize_queue_bytes" not in told
    assert 'axonize_dead_letters{tenant="a"} 1.0' in told


def test_a_postgresql_that_does_not_answer_in_time_leaves_only_its_own_metrics_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.metrics.POSTGRES_TIMEOUT_MS", 50)
    told: list[str] = []

    def scrape() -> None:
        told.append(scraped())
        connection.close()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE ingest_deadletter IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=scrape)
        thread.start()
        thread.join(20)
    assert "axonize_dead_letters" not in told[0]
    assert "axonize_queue_bytes 0.0" in told[0]
