"""Whatever the OpenAPI document allows, and much that it does not: the API answers as it says, on real data."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from clickhouse_connect.driver import Client as ClickHouse
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis import Case
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from axonize.wsgi import application
from registry.sync import sync_registry
from tests.conftest import Ingest
from tests.fuzz.plugin import Tally
from tests.otlp import ERROR, gpu, request, span

pytestmark = pytest.mark.django_db

EXAMPLES = 25  # of each operation, half of them what the document does not allow
SHARE_OF_REAL_VALUES = 0.5
# JSON Schema cannot say that a start is before its end; a client of this machine needs no key.
NOT_OURS = [positive_data_acceptance, ignored_auth]


@pytest.fixture
def keep_connection() -> Iterator[None]:
    """Have requests leave this test's transaction open, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def real_values(ingest: Ingest, clickhouse: ClickHouse) -> dict[str, list[str]]:  # noqa: ARG001  emptied
    """Put a few traces and GPUs into the stores; return values by parameter that find some of it."""
    traces = [os.urandom(16) for _ in range(4)]
    root = os.urandom(8)
    for number, trace in enumerate(traces):
        attributes = {
            "gen_ai.request.model": "llama",
            "gen_ai.usage.output_tokens": 2**40 + number,
            "cost.usd": 0.25,
            "http.route": "/v1/chat",
            **gpu(
                0, resource_uuid=f"MIG-{number}", physical_uuid="GPU-1", node_id="n", model="H100", user_label="cuda:0"
            ),
            **gpu(
                1, resource_uuid="GPU-2", physical_uuid="GPU-2", utilization=50.0, memory_used_gb=1e300, power_watts=1
            ),
        }
        child = span("step", trace_id=trace, parent_span_id=root, attributes=attributes, status=ERROR, message="failed")
        ingest(request(span("generate", trace_id=trace, span_id=root), child, resource={"service.name": "engine"}))
    assert sync_registry()
    return {
        "trace_id": [trace.hex() for trace in traces],
        "resource_uuid": ["MIG-0", "GPU-2"],
        "physical_uuid": ["GPU-1"],
        "service_name": ["engine"],
        "model_name": ["llama"],
        "node_id": ["n"],
        "label": ["cuda:0"],
        "attr.KEY": ["llama"],
    }


def on_loopback(environ: dict[str, Any], start_response: Any) -> Any:
    """Be the application, asked by a client of this machine."""
    return application({**environ, "REMOTE_ADDR": "127.0.0.1"}, start_response)


@pytest.mark.usefixtures("keep_connection")
def test_every_operation_answers_as_documented(real_values: dict[str, list[str]], tally: Tally) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/schema", on_loopback)
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        cases = st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode))

        @settings(max_examples=EXAMPLES * tally.times, suppress_health_check=list(HealthCheck))
        @given(case=cases, dice=st.randoms(use_true_random=True))
        def answers(case: Case[Any], dice: Any) -> None:
            for values in (case.path_parameters, case.query):
                for name in real_values.keys() & (values or {}).keys():
                    if dice.random() < SHARE_OF_REAL_VALUES:
                        values[name] = dice.choice(real_values[name])
            response = case.call()
            try:
                case.validate_response(response, excluded_checks=NOT_OURS)
            except FailureGroup as faults:
                tally.crash(
                    "\n".join([f"{case.method} {case.formatted_path} {case.query}", *map(str, faults.exceptions)])
                )
            if response.headers.get("content-type") == ["application/json"]:
                json.loads(response.content, parse_constant=pytest.fail)  # NaN is no JSON
            tally.count(str(response.status_code))

        answers()
    tally.settle()
