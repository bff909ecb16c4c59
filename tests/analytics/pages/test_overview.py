"""The first page: what it tells of a range, and where its numbers lead."""

import json
import re
import time
from typing import Any

import pytest
from django.test import Client

from tests.analytics.pages.conftest import Read
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, SECOND_NS, request, span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clickhouse")]

PARTS = ["numbers", "ttft", "models", "services", "slowest"]


@pytest.fixture
def traffic(ingest: Ingest) -> None:
    """Send four requests of the last hour, one of them failed, and one of two days ago."""
    now_ns = time.time_ns()

    def chat(name: str, *, seconds_ago: int, took_ms: int, **fields: Any) -> Any:
        attributes = {
            "gen_ai.request.model": "llama-3-70b",
            "ai.llm.ttft_ms": took_ms / 2,
            "gen_ai.usage.input_tokens": 1000,
            "gen_ai.usage.output_tokens": 200,
            "gpu.0.resource_uuid": "GPU-1",
            "gpu.0.physical_uuid": "GPU-1",
            **fields.pop("attributes", {}),
        }
        return span(
            name,
            start_ns=now_ns - seconds_ago * SECOND_NS,
            duration_ns=took_ms * MILLISECOND_NS,
            attributes=attributes,
            **fields,
        )

    ingest(
        request(
            chat("quick", seconds_ago=60, took_ms=100),
            chat("slow", seconds_ago=120, took_ms=9000),
            chat("failed", seconds_ago=1800, took_ms=300, status=ERROR),
            resource={"service.name": "chat", "deployment.environment.name": "production"},
        ),
        request(
            chat("batch", seconds_ago=2 * 86_400, took_ms=500),
            span("other", start_ns=now_ns - 30 * SECOND_NS, duration_ns=200 * MILLISECOND_NS),
            resource={"service.name": "worker"},
        ),
    )


def charts(part: str) -> dict[str, Any]:
    """Return what the part's charts draw, by their slug."""
    figures = re.findall(r'<figure[^>]* id="([a-z]+)".*?</figure>', part, re.DOTALL)
    texts = re.findall(r'<script type="application/json">(.*?)</script>', part)
    return dict(zip(figures, map(json.loads, texts), strict=True))


def tile(part: str, name: str) -> tuple[str, str]:
    """Return where a tile leads and its value."""
    found = re.search(rf'<a class="tile" href="([^"]*)"><span class="name">{name}</span><span[^>]*>([^<]*)<', part)
    assert found
    return found[1], found[2]


@pytest.mark.usefixtures("traffic")
def test_the_numbers_of_the_range_lead_to_the_traces_behind_them(read: Read) -> None:
    part = read("/overview/numbers", range="1h", service_name="chat")
    assert "3 in all" in part
    assert tile(part, "Requests") == ("/traces?range=1h&service_name=chat", "3/h")
    assert tile(part, "Failed") == ("/traces?range=1h&service_name=chat&status=error", "33.3%")
    assert tile(part, "Mean latency") == ("/traces?range=1h&service_name=chat&order_by=-duration_ms", "3.13 s")
    assert tile(part, "Tokens")[1] == "1/s"
    assert tile(part, "Active GPUs") == ("/gpus?range=1h", "1")


@pytest.mark.usefixtures("traffic")
def test_the_charts_have_a_value_for_each_bucket(read: Read) -> None:
    part = read("/overview/numbers", range="1h")
    drawn = charts(part)
    assert set(drawn) == {"requests", "errors", "latency", "tokens", "cost"}
    for chart in drawn.values():
        assert {len(line["values"]) for line in chart["lines"]} == {len(chart["edges"]) - 1}
    width_ms = drawn["requests"]["edges"][1] - drawn["requests"]["edges"][0]
    assert width_ms == 30_000
    rates = drawn["requests"]["lines"][0]["values"]
    assert sorted(round(rate * 30) for rate in rates[1:-1] if rate) == [1, 1, 1, 1]
    assert [value for value in drawn["errors"]["lines"][0]["values"] if value] == [100]
    assert sorted(value for value in drawn["latency"]["lines"][0]["values"] if value) == [100, 200, 300, 9000]
    assert {line["name"] for line in drawn["tokens"]["lines"]} == {"input", "output"}


@pytest.mark.usefixtures("traffic")
def test_models_services_and_the_slowest_requests_lead_to_their_traces(read: Read) -> None:
    assert 'href="/traces?range=3d&model_name=llama-3-70b"' in read("/overview/models", range="3d")
    services = read("/overview/services", range="3d")
    assert services.index("service_name=chat") < services.index("service_name=worker"), "by traffic"
    assert 'href="/traces?range=3d&service_name=chat&status=error"' in services

    slowest = read("/overview/slowest", range="1h")
    assert re.findall(r'href="/traces/[0-9a-f]{32}\?range=1h">(\w+)<', slowest) == ["slow", "failed", "other", "quick"]
    assert "$" not in slowest.split("slow<")[0]


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("part", PARTS)
def test_every_part_follows_the_range_and_the_filters(read: Read, part: str) -> None:
    everything = read(f"/overview/{part}", range="3d")
    assert read(f"/overview/{part}", range="1h") != everything
    assert read(f"/overview/{part}", range="3d", service_name="worker") != everything
    nothing = read(f"/overview/{part}", range="3d", service_name="nobody")
    assert any(told in nothing for told in ("No request", "No span")), nothing


@pytest.mark.usefixtures("traffic")
def test_the_time_to_the_first_token_is_drawn_where_spans_told_it(read: Read) -> None:
    (chart,) = charts(read("/overview/ttft")).values()
    assert sorted(value for value in chart["lines"][0]["values"] if value is not None) == [50, 150, 4500]
    assert "No span of this range told" in read("/overview/ttft", service_name="worker")


@pytest.mark.usefixtures("traffic")
def test_the_filters_offer_what_there_is_and_show_what_is_chosen(read: Read) -> None:
    page = read(
        "/", model_name="llama-3-70b", node_id="dgx-1", start="2026-02-07T10:00:00Z", end="2026-02-07T11:00:00Z"
    )
    assert "<option selected>llama-3-70b</option>" in page
    assert "<option>worker</option>" in page
    assert "<option>production</option>" in page
    assert 'aria-label="Without Node dgx-1"' in page
    assert '<input type="hidden" name="start" value="2026-02-07T10:00:00Z">' in page


def test_who_never_sent_a_span_is_shown_how(read: Read, ingest: Ingest) -> None:
    assert "No span has come yet" in read("/")
    ingest(request(span("first")))
    assert "No span has come yet" not in read("/")


def test_an_empty_page_is_asked_again_once_its_first_request_can_be_shown(client: Client, ingest: Ingest) -> None:
    waiting = client.get("/arrived", headers={"hx-request": "true"})
    assert (waiting.status_code, waiting.headers.get("HX-Refresh")) == (204, None)
    ingest(request(span("first")))
    assert client.get("/arrived", headers={"hx-request": "true"})["HX-Refresh"] == "true"


def test_a_range_without_requests_says_what_to_do(read: Read, ingest: Ingest) -> None:
    ingest(request(span("old", start_ns=time.time_ns() - 86_400 * SECOND_NS)))
    assert "Choose a longer range above." in read("/overview/numbers", range="15m")
    assert "without the filters" in read("/overview/numbers", range="15m", service_name="chat")


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(("path", "expected"), [("/", 1), *((f"/overview/{part}", 1) for part in ("numbers", "ttft"))])
def test_each_part_asks_one_question(client: Client, queries: list[str], path: str, expected: int) -> None:
    client.get(path)
    assert len(queries) == expected
