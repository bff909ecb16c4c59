"""Every table keeps its rows for as long as its setting says, and a tenant's for as long as the tenant says."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import redis
from clickhouse_connect.driver import Client as ClickHouse
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from axonize.clickhouse import retention as tables
from ingest import retention, tasks
from ingest.gpu_time import share_out_all
from ingest.models import DeadLetter
from ingest.retention import days_accepted
from registry.identity import Identity, local_identity
from registry.keys import identify
from registry.models import Tenant
from registry.models.api_key import ApiKey, Scope
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span
from tests.processes import wait_until

pytestmark = pytest.mark.django_db

DAY_NS = 86_400 * SECOND_NS
MERGE_SECONDS = 90
"""What the background work of ClickHouse may take on a busy machine."""
SETTINGS = ("RETENTION_DAYS", "GPU_METRICS_RETENTION_DAYS", "GPU_TIME_RETENTION_DAYS")
COUNTED = {
    "spans": "count()",
    "gpu_metrics": "count()",
    "gpu_time": "countIf(held_ns > 0)",
    "traces": "uniqExactIf(trace_id, span_count > 0)",
    "trace_summaries": "sumIf(weight, superseded_at = 0)",
}


def today_ns() -> int:
    """Return the last midnight: of now, for midnight may have passed since the tests were collected."""
    return time.time_ns() // DAY_NS * DAY_NS


@pytest.fixture
def keep(settings: Settings) -> Iterator[Callable[[int], None]]:
    """Set how long everything is kept; it is as it was in the end, in ClickHouse too."""
    before = {name: getattr(settings, name) for name in SETTINGS}

    def set_days(days: int) -> None:
        for name in SETTINGS:
            setattr(settings, name, days)

    yield set_days
    for name, days in before.items():
        setattr(settings, name, days)
    tables.change(tables.changes())


@pytest.fixture
def send(ingest: Ingest, share_out: Callable[[], None]) -> Callable[..., None]:
    """Send a trace of one span that held a GPU and began so many nanoseconds after midnight of a day, for a second."""

    def send_one(days_ago: int, *, tenant: str = "default", at_ns: int = DAY_NS // 2) -> None:
        held = gpu(resource_uuid="GPU-1", physical_uuid="GPU-1", utilization=50.0)
        start_ns = today_ns() - days_ago * DAY_NS + at_ns
        (verdict,) = ingest(
            request(span(start_ns=start_ns, duration_ns=SECOND_NS // 2, attributes=held)), tenant=tenant
        )
        assert verdict.accepted_spans == 1
        share_out()

    return send_one


def counts(clickhouse: ClickHouse, tenant: str = "default") -> dict[str, int]:
    """Return how many spans, snapshots, minutes of GPUs, traces and summaries a tenant has."""
    found = {}
    for table, count in COUNTED.items():
        final = "FINAL" if table == "gpu_time" else ""
        [[number]] = clickhouse.query(
            f"SELECT {count} FROM {table} {final} WHERE tenant = {{tenant:String}}",  # noqa: S608  our own names
            parameters={"tenant": tenant},
        ).result_rows
        found[table] = int(number)
    return found


def each(number: int) -> dict[str, int]:
    return dict.fromkeys(COUNTED, number)


def apply(**options: Any) -> str:
    said = StringIO()
    call_command("apply_retention", stdout=said, **options)
    return said.getvalue()


def days_of(clickhouse: ClickHouse) -> dict[str, str]:
    rows = clickhouse.query(
        r"""
        SELECT name, extract(engine_full, ' TTL .*?toIntervalDay\((\d+)\)')
        FROM system.tables WHERE database = currentDatabase()
        """
    ).result_rows
    return {name: days for name, days in rows if days}


def engines(clickhouse: ClickHouse) -> dict[str, str]:
    rows = clickhouse.query("SELECT name, engine_full FROM system.tables WHERE database = currentDatabase()")
    return {name: engine for name, engine in rows.result_rows}  # noqa: C416  pairs, whatever the driver's types say


def mutations(clickhouse: ClickHouse) -> int:
    [[number]] = clickhouse.query("SELECT count() FROM system.mutations WHERE database = currentDatabase()").result_rows
    return int(number)


def test_the_schema_keeps_what_the_settings_say_unless_they_say_something_else(clickhouse: ClickHouse) -> None:
    assert {name: days for name, days in days_of(clickhouse).items() if name in tables.days_by_table()} == {
        name: str(days) for name, days in tables.days_by_table().items()
    }
    assert tables.changes() == []


def test_rows_go_when_a_table_is_to_keep_them_for_a_shorter_time(
    clickhouse: ClickHouse, keep: Callable[[int], None], send: Callable[..., None]
) -> None:
    for days_ago in (0, 7, 8, 20):
        send(days_ago, at_ns=0)  # for a trace goes to the second so many days after it ended
    assert counts(clickhouse) == each(4)
    keep(7)
    told = apply(plan=True)
    assert "spans drops rows after 31 days and is to after 8: 2 rows are older." in told
    assert "gpu_metrics drops rows after 31 days and is to after 8: 2 rows are older." in told
    apply()

    def have_gone() -> bool:
        # each time, for a merge leaves out, without a word, a part that is still being rewritten
        for table in ("traces", "trace_summaries"):
            clickhouse.command(f"OPTIMIZE TABLE {table} FINAL")
        return counts(clickhouse) == each(2)

    wait_until(have_gone, MERGE_SECONDS, explain=lambda: str(counts(clickhouse)))


def test_what_is_there_already_is_kept_for_longer_when_a_table_is_to(
    clickhouse: ClickHouse, keep: Callable[[int], None], send: Callable[..., None]
) -> None:
    send(3)
    keep(90)
    apply()
    wanted = datetime.fromtimestamp(today_ns() // SECOND_NS, UTC) + timedelta(days=91 - 3)

    def ends() -> list[Any]:
        return list(
            clickhouse.query(
                """
                SELECT table, delete_ttl_info_max FROM system.parts
                WHERE database = currentDatabase() AND table IN ('spans', 'gpu_metrics', 'gpu_time')
                  AND active AND rows > 0  -- TRUNCATE leaves parts of no rows, for a while
                ORDER BY table
                """
            ).result_rows
        )

    wait_until(
        lambda: (
            {(table, end.date()) for table, end in ends()}
            == {(table, wanted.date()) for table in ("gpu_metrics", "gpu_time", "spans")}
        ),
        MERGE_SECONDS,
        lambda: str(ends()),
    )
    assert days_of(clickhouse)["span_facets"] == "122", "a lookup outlives the latest row that points to it"
    assert counts(clickhouse) == each(1)


def test_tables_keep_their_rows_each_for_its_own_time(
    clickhouse: ClickHouse, keep: Callable[[int], None], settings: Settings
) -> None:
    keep(30)
    settings.GPU_METRICS_RETENTION_DAYS = 60
    settings.GPU_TIME_RETENTION_DAYS = 400
    apply()
    found = days_of(clickhouse)
    assert {name: found[name] for name in ("spans", "traces", "trace_summaries", "gpu_metrics", "gpu_time")} == {
        "spans": "31", "traces": "31", "trace_summaries": "31", "gpu_metrics": "61", "gpu_time": "401",
    }  # fmt: skip
    assert (found["span_facets"], found["resources"]) == ("432", "62")


def test_a_change_touches_nothing_of_a_table_but_its_days(clickhouse: ClickHouse, keep: Callable[[int], None]) -> None:
    before = engines(clickhouse)["trace_summaries"]
    keep(7)
    apply()
    after = engines(clickhouse)["trace_summaries"]
    assert "toIntervalMinute(15) WHERE superseded_at" in after
    assert after.replace("toIntervalDay(8)", "toIntervalDay(31)").startswith(before)


def test_a_second_run_changes_nothing(
    clickhouse: ClickHouse, keep: Callable[[int], None], send: Callable[..., None]
) -> None:
    send(3)
    send(20, tenant="short")
    keep(10)
    Tenant.objects.update_or_create(slug="short", defaults={"retention_days": 2})
    apply()
    before, engine = mutations(clickhouse), engines(clickhouse)
    assert "Nothing to do" in apply()
    assert (mutations(clickhouse), engines(clickhouse)) == (before, engine)


def test_a_plan_changes_nothing(clickhouse: ClickHouse, keep: Callable[[int], None], send: Callable[..., None]) -> None:
    send(20)
    send(3, tenant="short")
    Tenant.objects.update_or_create(slug="short", defaults={"retention_days": 2})
    letter(days_ago=31)
    keep(10)
    before, engine = mutations(clickhouse), engines(clickhouse)
    told = apply(plan=True)
    day = datetime.fromtimestamp(today_ns() // SECOND_NS, UTC) - timedelta(days=3)
    assert f"spans of {day:%Y%m%d}: 1 rows of short are too old." in told
    assert "traces: " in told
    assert "dead letters: 1 are older than 30 days." in told
    assert (mutations(clickhouse), engines(clickhouse)) == (before, engine)
    assert (counts(clickhouse), counts(clickhouse, "short")) == (each(1), each(1))
    assert DeadLetter.objects.count() == 1


def test_a_tenants_older_days_go_and_nobody_elses(clickhouse: ClickHouse, send: Callable[..., None]) -> None:
    for tenant in ("short", "default"):
        for days_ago in (0, 2, 3, 20):
            send(days_ago, tenant=tenant)
    Tenant.objects.update_or_create(slug="short", defaults={"retention_days": 2})
    apply()
    assert counts(clickhouse, "short") == each(2)
    assert counts(clickhouse) == each(4)


def test_a_tenants_day_goes_whole_at_its_midnight(clickhouse: ClickHouse, send: Callable[..., None]) -> None:
    send(3, tenant="short", at_ns=DAY_NS - SECOND_NS)
    send(2, tenant="short", at_ns=0)
    Tenant.objects.update_or_create(slug="short", defaults={"retention_days": 2})
    apply()
    assert counts(clickhouse, "short") == each(1)
    [[start]] = clickhouse.query("SELECT toUnixTimestamp64Nano(start_time) FROM spans").result_rows
    assert start == today_ns() - 2 * DAY_NS


def test_a_trace_is_kept_for_as_long_as_its_last_part(
    clickhouse: ClickHouse, ingest: Ingest, send: Callable[..., None]
) -> None:
    send(0, tenant="short")
    trace_id = b"\5" * 16
    for days_ago in (3, 2):
        ingest(request(span(trace_id=trace_id, start_ns=today_ns() - days_ago * DAY_NS)), tenant="short")
    Tenant.objects.update_or_create(slug="short", defaults={"retention_days": 2})
    apply()
    assert clickhouse.query(
        "SELECT sum(span_count) FROM traces WHERE trace_id = toFixedString(unhex(repeat('05', 16)), 16)"
    ).result_rows == [(2,)]
    assert counts(clickhouse, "short")["trace_summaries"] == 2


def test_a_run_that_has_no_time_leaves_the_rest_to_the_next(
    clickhouse: ClickHouse, queue: redis.Redis, send: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(20, tenant="short")
    Tenant.objects.update_or_create(slug="short", defaults={"retention_days": 2})
    monkeypatch.setattr(tasks, "RETENTION_SECONDS", -1.0)
    tasks.apply_retention()
    assert counts(clickhouse, "short") == each(1)
    monkeypatch.setattr(tasks, "RETENTION_SECONDS", 60.0)
    before = time.time()
    tasks.apply_retention()
    assert counts(clickhouse, "short") == each(0)
    assert before <= (retention.last_success(queue) or 0) <= time.time()


def test_it_is_done_each_hour_however_often_beat_asks(
    clickhouse: ClickHouse, queue: redis.Redis, send: Callable[..., None]
) -> None:
    send(20, tenant="short")
    Tenant.objects.update_or_create(slug="short", defaults={"retention_days": 2})
    queue.set(retention.APPLIED_AT, time.time() - 3500)
    tasks.apply_retention()
    assert counts(clickhouse, "short") == each(1)
    queue.set(retention.APPLIED_AT, time.time() - 3601)
    tasks.apply_retention()
    assert counts(clickhouse, "short") == each(0)


def test_minutes_whose_snapshots_are_gone_keep_what_was_shared_out(
    clickhouse: ClickHouse, send: Callable[..., None], settings: Settings, keep: Callable[[int], None]
) -> None:
    keep(30)
    send(20, at_ns=DAY_NS - 20 * SECOND_NS)
    settings.GPU_METRICS_RETENTION_DAYS = 10
    clickhouse.command("DELETE FROM gpu_metrics WHERE true")
    send(20, at_ns=DAY_NS - 30 * SECOND_NS)
    assert list(share_out_all()) == []
    assert counts(clickhouse)["gpu_time"] == 1, "a late span of that minute takes nothing back"
    held = clickhouse.query("SELECT sum(held_ns) FROM gpu_time FINAL").result_rows
    assert held == [(SECOND_NS / 2,)]


@pytest.mark.parametrize(
    ("days", "tenant_days", "accepted"), [(30, None, 30), (90, None, 30), (7, None, 7), (30, 2, 2), (7, 20, 7)]
)
def test_spans_are_refused_that_would_be_deleted_at_once_or_are_very_late(
    settings: Settings, days: int, tenant_days: int | None, accepted: int
) -> None:
    settings.RETENTION_DAYS = days
    assert days_accepted(tenant_days) == accepted


def test_a_key_knows_how_long_its_tenant_keeps_spans() -> None:
    tenant = Tenant.objects.update_or_create(slug="short", defaults={"retention_days": 2})[0]
    _, key = ApiKey.objects.create_key(name="k", tenant=tenant, scopes=[Scope.INGEST])
    identity = identify(key)
    assert (identity.retention_days, local_identity().retention_days) == (2, None)
    assert isinstance(identity, Identity)


def test_the_admin_refuses_a_tenant_that_would_keep_spans_for_longer_than_there_are_any(client: Client) -> None:
    client.force_login(User.objects.create_superuser("ops"))
    tenant = Tenant.objects.update_or_create(slug="short", defaults={"name": "short"})[0]
    url = reverse("admin:registry_tenant_change", args=[tenant.pk])
    refused = client.post(url, {"name": "short", "retention_days": "31"}).content.decode()
    assert "Spans are kept for 30 days (AXONIZE_RETENTION_DAYS); give fewer, or leave it blank." in refused
    assert client.post(url, {"name": "short", "retention_days": "30"}).status_code == 302
    tenant.refresh_from_db()
    assert tenant.retention_days == 30
    with pytest.raises(IntegrityError), transaction.atomic():
        Tenant.objects.filter(pk=tenant.pk).update(retention_days=0)


def letter(*, days_ago: int) -> DeadLetter:
    return DeadLetter.objects.create(
        batch_id=f"of {days_ago}", number=0, failed_at=timezone.now() - timedelta(days=days_ago), spans=1, size_bytes=1,
        body=b"x",
    )  # fmt: skip


def test_dead_letters_are_forgotten_when_their_time_is_over(clickhouse: ClickHouse, settings: Settings) -> None:
    del clickhouse
    old, new = letter(days_ago=31), letter(days_ago=29)
    apply()
    assert list(DeadLetter.objects.values_list("pk", flat=True)) == [new.pk]
    settings.DEAD_LETTER_RETENTION_DAYS = 7
    apply()
    assert not DeadLetter.objects.filter(pk__in=[old.pk, new.pk]).exists()
