"""The page of a trace, and what it asks for, as Django answers."""

import json
from decimal import Decimal
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.test import Client

from analytics.pages import trace as trace_pages
from analytics.queries import trace_rows
from registry.mirror import mirror_registry
from registry.models import ComputeResource, PhysicalGPU
from tests.analytics.conftest import Get
from tests.analytics.pages.made_traces import CHAT, GENERATE, LARGE, PROMPT, QUEUE, ROOT, SAFETY, SLICE, START, chat
from tests.conftest import Ingest
from tests.otlp import ERROR, MILLISECOND_NS, OK, gpu, request, span

pytestmark = pytest.mark.django_db

PAGE = f"/traces/{CHAT.hex()}"


@pytest.fixture
def stored(ingest: Ingest) -> None:
    ingest(*chat())


def text(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def waterfall(client: Client, trace_id: bytes = CHAT) -> dict[str, Any]:
    answer = client.get(f"/traces/{trace_id.hex()}/waterfall")
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/json"
    found: dict[str, Any] = json.loads(answer.content)
    return found


@pytest.mark.usefixtures("stored")
def test_the_head_says_what_the_api_says_of_the_trace(client: Client, get: Get) -> None:
    summary = get(f"/traces/{CHAT.hex()}")
    shown = client.get(PAGE).context["head"]
    for name in (
        *("trace_id", "service_name", "environment", "root_span_name", "status", "span_count", "error_count"),
        *("models", "tokens_input", "tokens_output", "gpu_count"),
    ):
        assert getattr(shown, name) == summary[name], name
    assert shown.duration_ns == summary["duration_ms"] * MILLISECOND_NS
    page = text(client, PAGE)
    for seen in ("POST /v1/chat", "api-gateway", "production", "1 s", "1 failed", "llama-3-70b", "812 in, 245 out"):
        assert seen in page
    for link in (f"{PAGE}/otlp", f"/api/v1{PAGE}", "/traces?service_name=api-gateway"):
        assert f'href="{link}"' in page


@pytest.mark.usefixtures("stored")
def test_times_are_in_the_viewers_zone_and_links_carry_the_range(client: Client) -> None:
    client.cookies["zone"] = "Asia/Tokyo"
    page = text(client, f"{PAGE}?range=6h")
    assert "Asia/Tokyo" in page
    assert 'href="/traces?range=6h&amp;service_name=api-gateway"' in page
    assert f'data-waterfall="{PAGE}/waterfall?range=6h"' in page


@pytest.mark.usefixtures("stored")
def test_the_frame_takes_one_query_the_waterfall_three_and_a_span_four(client: Client, queries: list[str]) -> None:
    text(client, f"{PAGE}/spans/{GENERATE.hex()}")  # resources that were asked for are known
    # the registry is asked for the GPU's vendor, which the span left out
    for path, count in {PAGE: 1, f"{PAGE}/waterfall": 3, f"{PAGE}/spans/{GENERATE.hex()}": 4}.items():
        queries.clear()
        text(client, path)
        assert len(queries) == count, path


@pytest.mark.usefixtures("stored")
def test_the_waterfall_has_the_spans_in_columns_depth_first(client: Client) -> None:
    found = waterfall(client)
    ids = [one.hex() for one in (ROOT, QUEUE, GENERATE, SAFETY)]
    assert [found["ids"][at : at + 16] for at in range(0, len(found["ids"]), 16)] == ids
    assert [found["names"][at] for at in found["name"]] == ["POST /v1/chat", "queue", "generate", "check safety"]
    assert [found["services"][at] for at in found["service"]] == ["api-gateway", *["llama-serving"] * 3]
    assert [found["models"][at] for at in found["model"]] == ["", "", "llama-3-70b", ""]
    assert (found["depth"], found["status"]) == ([0, 1, 1, 1], "1012")
    ms = MILLISECOND_NS
    assert (found["start_ms"], found["duration"]) == (START / ms, 1000 * ms)
    assert found["begin"] == [0, 10 * ms, 110 * ms, 920 * ms]
    assert found["took"] == [1000 * ms, 100 * ms, 800 * ms, 50 * ms]
    assert found["own"] == [50 * ms, 100 * ms, 800 * ms, 50 * ms]
    assert found["llm"] == {"row": [2], "ttft": [210], "input": [812], "output": [245]}
    path = list(zip(found["path"]["row"], found["path"]["begin"], found["path"]["end"], strict=True))
    assert [(row, begin // ms, end // ms) for row, begin, end in path] == [
        *((0, 0, 10), (1, 10, 110), (2, 110, 910), (0, 910, 920), (3, 920, 970), (0, 970, 1000))
    ]
    (lane,) = found["gpus"]
    assert lane == {
        "uuid": SLICE,
        "href": f"/gpus/{SLICE}",
        "model": "NVIDIA H100 80GB HBM3",
        "resource_type": "mig_3g.40gb",
        "node_id": "dgx-h100-02",
        "user_label": "cuda:0",
        "row": [2],
        "utilization": [71.5],
    }
    assert (found["orphans"], found["repeated"]) == ([], [])


def test_a_reading_of_zeros_or_none_at_all_is_unknown_and_an_idle_gpu_is_not(ingest: Ingest, client: Client) -> None:
    nothing = {"utilization": 0, "memory_used_gb": 0, "temperature_celsius": 0, "power_watts": 0, "clock_mhz": 0}
    readings = [nothing, {}, {**nothing, "power_watts": 70}]
    for number, reading in enumerate(readings):
        attributes = gpu(0, resource_uuid="MIG-1", **reading)
        ingest(request(span(trace_id=LARGE, start_ns=START + number, attributes=attributes)))
    (lane,) = waterfall(client, LARGE)["gpus"]
    assert (lane["row"], lane["utilization"]) == ([0, 1, 2], [None, None, 0])


def test_orphans_and_spans_that_were_sent_twice_are_told(ingest: Ingest, client: Client) -> None:
    orphan = span("orphan", trace_id=CHAT, span_id=QUEUE, parent_span_id=SAFETY, start_ns=START)
    ingest(request(orphan, span("again", trace_id=CHAT, span_id=QUEUE, parent_span_id=SAFETY, start_ns=START + 1)))
    found = waterfall(client)
    assert (found["orphans"], found["repeated"]) == ([0, 1], [1])
    panel = text(client, f"{PAGE}/spans/{QUEUE.hex()}")
    assert "2 spans of this trace have this id. This is the first." in panel
    assert "orphan" in panel
    assert "again" not in panel


@pytest.mark.usefixtures("stored")
def test_the_panel_of_a_span_shows_all_of_it(client: Client) -> None:
    panel = text(client, f"{PAGE}/spans/{GENERATE.hex()}")
    for seen in (
        *("generate", GENERATE.hex(), ROOT.hex(), "800 ms", "110 ms", "812", "245", "210 ms", "NVIDIA H100 80GB HBM3"),
        *("mig_3g.40gb", "dgx-h100-02", "71.5%", "30 GiB", "300 W", "production"),
        PROMPT.replace('"', "&quot;"),
    ):
        assert seen in panel, seen
    for link in (
        *(f"/gpus/{SLICE}", "/traces?attr.gen_ai.request.model=llama-3-70b", "/traces?attr.server.streams=true"),
        *("/traces?model_name=llama-3-70b", f"/traces/{LARGE.hex()}?span={ROOT.hex()}", f"?span={QUEUE.hex()}"),
    ):
        assert f'href="{link}"' in panel, link
    # of a text that no filter takes there is none
    assert "attr.gen_ai.input.messages" not in panel


@pytest.mark.usefixtures("stored")
def test_the_panel_of_a_failure_shows_its_message_and_its_stack(client: Client) -> None:
    panel = text(client, f"{PAGE}/spans/{SAFETY.hex().upper()}")
    assert "no &lt;policy&gt;" in panel
    assert "+30 ms" in panel
    assert "File &quot;check.py&quot;, line 7, in check\nValueError: no &lt;policy&gt;" in panel


def test_a_span_costs_in_the_panel_what_it_costs_in_the_api(
    ingest: Ingest, get: Get, client: Client, share_out: Any
) -> None:
    def held(number: int, start_s: int, seconds: int, **attributes: object) -> None:
        ingest(
            request(
                span(
                    trace_id=CHAT,
                    span_id=bytes([number]) * 8,
                    start_ns=START + start_s * 10**9,
                    duration_ns=seconds * 10**9,
                    attributes=gpu(0, resource_uuid="GPU-1", physical_uuid="GPU-1") | attributes,
                )
            )
        )

    held(1, 0, 10)
    held(2, 5, 10)
    held(3, 0, 20, **{"cost.usd": 0.25})
    card, _ = PhysicalGPU.objects.update_or_create(
        tenant_id=1, uuid="GPU-1", defaults={"cost_per_hour_usd": Decimal(3600)}
    )
    ComputeResource.objects.update_or_create(
        tenant_id=1, uuid="GPU-1", defaults={"set_physical": card, "set_resource_type": "full_gpu"}
    )
    mirror_registry()
    share_out()
    trace = get(f"/traces/{CHAT.hex()}")
    costs = {one["span_id"]: one["cost_usd"] for one in trace["spans"]}
    for span_id, cost in costs.items():
        context = client.get(f"{PAGE}/spans/{span_id}").context
        assert context["span"]["cost_usd"] == pytest.approx(cost)
        assert context["found"].is_shared == (span_id != "03" * 8)
    assert sorted(costs.values()) == [0.25, pytest.approx(5, rel=0.4), pytest.approx(5, rel=0.4)]
    assert float(client.get(PAGE).context["head"].cost_usd) == pytest.approx(trace["cost_usd"])


@pytest.mark.parametrize("trace_id", ["f" * 32, "nonsense", "0" * 33])
@pytest.mark.usefixtures("clickhouse")
def test_an_unknown_trace_is_a_404_that_says_what_to_do(client: Client, trace_id: str) -> None:
    page = text(client, f"/traces/{trace_id}?range=6h", 404)
    assert "There is no such trace" in page
    assert 'href="/traces?range=6h"' in page
    for part in ("waterfall", f"spans/{'1' * 16}"):
        assert "Not found" in text(client, f"/traces/{trace_id}/{part}", 404)


@pytest.mark.parametrize("span_id", ["f" * 16, "nonsense", "0"])
@pytest.mark.usefixtures("stored")
def test_an_unknown_span_is_a_404(client: Client, span_id: str) -> None:
    assert trace_pages.NO_SUCH_SPAN in text(client, f"{PAGE}/spans/{span_id}", 404)


@pytest.mark.usefixtures("stored")
def test_a_trace_of_too_many_spans_leads_to_the_api(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (trace_rows, trace_pages):
        monkeypatch.setattr(module, "MAX_SPANS", 3)
    page = text(client, PAGE)
    assert f'href="/api/v1{PAGE}/spans"' in page
    assert "data-waterfall" not in page
    for part in ("waterfall", "otlp"):
        assert "more than a page shows" in text(client, f"{PAGE}/{part}", 422)


def test_other_tenants_traces_are_not_shown(ingest: Ingest, client: Client) -> None:
    ingest(*chat(), tenant="other")
    for path in (PAGE, f"{PAGE}/waterfall", f"{PAGE}/otlp", f"{PAGE}/spans/{ROOT.hex()}"):
        text(client, path, 404)


@pytest.mark.usefixtures("stored")
def test_a_parameter_that_is_none_is_told(client: Client) -> None:
    assert "There is no such parameter." in text(client, f"{PAGE}?sapn=1", 400)


def test_texts_that_are_no_html_are_shown_as_they_are(ingest: Ingest, client: Client) -> None:
    odd = "<script>alert(1)</script>"
    sent = span(odd, trace_id=CHAT, span_id=ROOT, attributes={odd: odd, "&a=b": "c&d"}, status=ERROR, message=odd)
    ingest(request(sent, resource={"service.name": odd}))
    for path in (PAGE, f"{PAGE}/spans/{ROOT.hex()}"):
        page = text(client, path)
        assert odd not in page
        assert "&lt;script&gt;" in page
    assert 'href="/traces?attr.%26a%3Db=c%26d"' in text(client, f"{PAGE}/spans/{ROOT.hex()}")


def test_a_trace_of_no_time_and_no_names_is_shown(ingest: Ingest, client: Client, clickhouse: ClickHouse) -> None:  # noqa: ARG001
    ingest(request(span("", trace_id=CHAT, span_id=ROOT, start_ns=START, duration_ns=0, status=OK)))
    assert "A trace without names" in text(client, PAGE)
    found = waterfall(client)
    assert (found["duration"], found["path"]["row"]) == (0, [])
    assert "A span without a name" in text(client, f"{PAGE}/spans/{ROOT.hex()}")
