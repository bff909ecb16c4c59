"""docs/getting-started.md: the first quarter of an hour, done as the page says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from registry.mirror import mirror_registry
from registry.sync import sync_registry
from tests.conftest import Drain, Ingest
from tests.docs.conftest import database_url
from tests.docs.markdown import Page
from tests.examples import Answer, Block, Session
from tests.processes import ROOT
from tests.test_demo import Collector, run_demo, serving

PATH = ROOT / "docs" / "getting-started.md"

Catch = Callable[[], None]


@pytest.fixture
def catch_up(drain: Drain, share_out: Catch) -> Catch:
    """Do what the workers do in the seconds that a reader waits."""

    def work() -> None:
        if drain():
            share_out()
        sync_registry()
        mirror_registry()

    return work


@pytest.fixture
def answers(
    grpc_endpoint: str, ingest: Ingest, catch_up: Catch, live_server: LiveServer, tmp_path: Path
) -> Callable[[], list[Answer]]:
    """Return what runs the page's next block of commands and returns what curl got."""
    with serving(Collector()) as collector:
        run_demo(collector.endpoint, "--for", "0s", "--backfill", "5m")
        ingest(*collector.requests)
    own = {"OTEL_EXPORTER_OTLP_ENDPOINT": grpc_endpoint, "DATABASE_URL": database_url()}
    session = Session(tmp_path, own)
    blocks = iter(Page(PATH).blocks("sh"))

    def run_next() -> list[Answer]:
        catch_up()
        text = next(blocks)
        return session.run(Block("sh", 0, text.replace("http://127.0.0.1:8000", live_server.url), PATH))

    return run_next


@pytest.mark.django_db(transaction=True)
def test_the_page_leads_from_the_slowest_request_to_what_your_own_one_cost(
    answers: Callable[[], list[Answer]],
) -> None:
    overview, slowest, trace, gpus = (body(answer) for answer in answers())
    assert overview["total_traces"] > 0
    assert trace["trace_id"] == slowest["traces"][0]["trace_id"]
    assert trace["spans"][0]["self_time_ms"] >= 0
    assert len(gpus["gpus"]) == 5

    assert answers() == []  # sends a span
    traces, gpu = (body(answer) for answer in answers())
    [mine] = traces["traces"]
    assert (mine["tokens_input"], mine["tokens_output"], mine["gpu_count"], mine["cost_usd"]) == (512, 128, 1, None)
    assert (gpu["model"], gpu["node_id"], gpu["utilization"]) == ("NVIDIA H100 80GB HBM3", "my-node", 87.5)

    [priced] = answers()
    assert priced.status == 200
    traces, models = (body(answer) for answer in answers())
    assert traces["traces"][0]["cost_usd"] == pytest.approx(0.002)
    assert "llama-3-70b" in {model["model_name"] for model in models["models"]}

    [of_my_team] = answers()
    assert body(of_my_team)["total"] == 0
    with pytest.raises(StopIteration):  # that was all of the page
        answers()


def body(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    shown: dict[str, Any] = json.loads(answer.body)
    return shown
