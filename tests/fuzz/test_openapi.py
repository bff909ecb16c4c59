"""Whatever the OpenAPI document allows, and much that it does not: the API answers as it says, on real data."""

import json
import os
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from clickhouse_connect.driver import Client as ClickHouse
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings, strategies as st
from schemathesis import Case
from schemathesis.checks import CheckFunction
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from axonize.wsgi import application
from registry.models import ResourceContext
from registry.sync import sync_registry
from tests.conftest import Ingest
from tests.fuzz.plugin import Tally
from tests.keys import bearer, make_key
from tests.otlp import ERROR, gpu, request, span

pytestmark = pytest.mark.django_db

EXAMPLES = 20  # of each operation, half of them what the document does not allow
SHARE_OF_REAL_VALUES = 0.7
# JSON Schema cannot say that a start is before its end.
NOT_OURS: list[CheckFunction] = [positive_data_acceptance]
REMOTE = "203.0.113.7"


@pytest.fixture
def keep_connection() -> Iterator[None]:
    """Have requests leave this test's transaction open, as Django's own test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def real_values(ingest: Ingest, clickhouse: ClickHouse) -> dict[str, list[Any]]:  # noqa: ARG001  emptied
    """Put a few traces and GPUs into the stores; return values by parameter or field that find some of it."""
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
        "uuid": ["GPU-1", "GPU-2", "MIG-0"],
        "id": list(ResourceContext.objects.values_list("id", flat=True)),
        "attr.KEY": ["llama"],
    }


def from_elsewhere(environ: dict[str, Any], start_response: Any) -> Any:
    """Be the application, asked by a client of another machine, who needs a key."""
    return application({**environ, "REMOTE_ADDR": REMOTE}, start_response)


@pytest.mark.usefixtures("keep_connection")
def test_every_operation_answers_as_documented(real_values: dict[str, list[Any]], tally: Tally) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/schema", from_elsewhere)
    key = bearer(make_key(scopes=["admin"], requests_per_minute=0))
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) == sum(map(len, schema.raw_schema["paths"].values()))
    # Deletions last, for ClickHouse gives back nothing that was deleted.
    for operation in sorted(operations, key=lambda each: each.method == "delete"):
        cases = st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode))

        @settings(max_examples=EXAMPLES * tally.times, suppress_health_check=list(HealthCheck))
        @given(case=cases, dice=st.randoms(use_true_random=True))
        def answers(case: Case[Any], dice: Any) -> None:
            is_allowed = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
            # The same one in the address and in the body: neither a UUID nor an id can be changed.
            real = {name: dice.choice(values) for name, values in real_values.items()}
            body: Any = case.body if is_allowed and isinstance(case.body, dict) else None
            for values in (case.path_parameters, case.query, body):
                for name in real.keys() & (values or {}).keys():
                    if dice.random() < SHARE_OF_REAL_VALUES:
                        values[name] = real[name]
            if dice.random() < SHARE_OF_REAL_VALUES:
                case.headers.pop("If-Match", None)  # or hardly a change would come to its body
            with transaction.atomic():
                # With a key that is good: with those of the cases nothing behind the door would be asked.
                response = case.call(headers={**key, "Accept-Encoding": "identity"})
                transaction.set_rollback(True)  # what it changed is there again for the next one
            try:
                # A condition is held before the body is looked at (RFC 9110, 13.2.1).
                unmet = [negative_data_rejection] if response.status_code == HTTPStatus.PRECONDITION_FAILED else []
                case.validate_response(response, headers=key, excluded_checks=[*NOT_OURS, *unmet])
            except FailureGroup as faults:
                tally.crash(
                    "\n".join([f"{case.method} {case.formatted_path} {case.query}", *map(str, faults.exceptions)])
                )
            if response.headers.get("content-type") == ["application/json"]:
                json.loads(response.content, parse_constant=pytest.fail)  # NaN is no JSON
            tally.count(str(response.status_code))

        answers()
    tally.settle()
