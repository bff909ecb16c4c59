"""A small fleet that has sent its spans, a backup of it, and databases as they are before anybody uses them."""

import time
from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import redis
from clickhouse_connect.driver import Client as ClickHouse
from django.core.management import call_command
from django.test import Client

from registry.mirror import demand_mirror
from registry.models import PhysicalGPU, Tenant
from registry.sync import sync_registry
from tests.conftest import Ingest, empty_tables
from tests.otlp import SECOND_NS, gpu, request, span

CARD = "GPU-5f2c1a9e"
TRACE_ID = b"\7" * 16
START_NS = time.time_ns() - 3600 * SECOND_NS
QUESTIONS = (
    "/traces",
    f"/traces/{TRACE_ID.hex()}",
    "/spans",
    "/gpus",
    f"/gpus/{CARD}",
    f"/gpus/{CARD}/metrics",
    f"/gpus/{CARD}/contexts",
    "/physical-gpus",
    "/analytics/overview",
    "/analytics/models",
    "/analytics/services",
    "/analytics/gpus",
)
RANGE = {"start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}

Answers = dict[str, Any]
Empty = Callable[[], None]


def send(ingest: Ingest, trace_id: bytes, *, tenant: str = "default", start_ns: int = START_NS) -> None:
    """Send a trace of three spans, two of them on a card, in two batches."""
    held = gpu(resource_uuid=CARD, physical_uuid=CARD, utilization=50.0) | {"gen_ai.request.model": "llama"}
    one, two, three = (
        span(name, trace_id=trace_id, start_ns=start_ns, duration_ns=10 * SECOND_NS, attributes=attributes)
        for name, attributes in (("root", {}), ("decode", held), ("late", held))
    )
    ingest(request(one, two, resource={"service.name": "s"}), tenant=tenant)
    ingest(request(three, resource={"service.name": "s"}), tenant=tenant)


@pytest.fixture
def fleet(ingest: Ingest, share_out: Callable[[], None]) -> None:
    """Two tenants' traces, on a card with a price."""
    Tenant.objects.get_or_create(slug="default")
    for number in range(3):
        send(ingest, bytes([number + 1]) * 16)
    send(ingest, TRACE_ID)
    send(ingest, b"\x22" * 16, tenant="vision-lab")
    share_out()
    sync_registry()
    PhysicalGPU.objects.filter(uuid=CARD).update(cost_per_hour_usd=Decimal(3600))
    demand_mirror()
    sync_registry()


@pytest.fixture
def answers(client: Client) -> Callable[[], Answers]:
    """Return what the API answers to each question, as by now."""

    def ask() -> Answers:
        found = {}
        for path in QUESTIONS:
            answer = client.get(f"/api/v1{path}", RANGE if "analytics" in path or path.endswith("metrics") else {})
            assert answer.status_code == 200, (path, answer.content)
            found[path] = answer.json()
        return found

    return ask


@pytest.fixture
def backup(tmp_path: Path) -> Callable[[], Path]:
    """Make a backup and return where it is."""

    def make() -> Path:
        call_command("backup", str(tmp_path / "backup"), stdout=StringIO(), stderr=StringIO())
        return tmp_path / "backup"

    return make


def restore(directory: Path) -> str:
    """Restore a backup; return what the command says."""
    said = StringIO()
    call_command("restore", str(directory), stdout=said, stderr=StringIO())
    return said.getvalue()


@pytest.fixture
def empty(clickhouse: ClickHouse, queue: redis.Redis) -> Empty:
    """Lose all that the three stores have."""

    def lose() -> None:
        empty_tables(clickhouse)
        call_command("flush", "--noinput", verbosity=0)
        queue.flushdb()

    return lose
