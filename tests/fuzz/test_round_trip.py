"""What is sent comes back: any valid request, through the intake, the queue and ClickHouse, read by the API."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.test import Client
from hypothesis import HealthCheck, given, settings, strategies as st

from analytics.span_rows import CANONICAL
from registry.sync import sync_registry
from tests.conftest import Ingest
from tests.fuzz import messages, oracle
from tests.fuzz.plugin import Tally

SPANS_AN_EXAMPLE = 60
EXAMPLES = 30


pytestmark = pytest.mark.django_db


def shown_spans(client: Client, trace_id: bytes) -> dict[str, dict[str, Any]]:
    """Return the spans that the API shows, by id, from wherever in the tree they hang."""
    answer = client.get(f"/api/v1/traces/{trace_id.hex()}")
    assert answer.status_code == 200, answer.content

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    roots = json.loads(answer.content, parse_constant=no_constant)["spans"]

    def walk(spans: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for span in spans:
            yield span
            yield from walk(span["children"])

    return {span["span_id"]: span for span in walk(roots)}


@pytest.mark.usefixtures("kept_mapped_spans")
def test_any_valid_request_reads_back_as_it_was_sent(
    ingest: Ingest, client: Client, clickhouse: ClickHouse, tally: Tally
) -> None:
    # the tables fill up over the examples; each has a trace of its own
    @settings(max_examples=EXAMPLES * tally.times, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(material=messages.materials, dice=st.randoms(use_true_random=True))
    def examples(material: messages.Material, dice: Any) -> None:
        trace_id = os.urandom(15) + b"\1"
        request = messages.deal(material, dice, trace_id=trace_id, spans=SPANS_AN_EXAMPLE)
        [verdict] = ingest(request)
        assert verdict.message == ""
        shown = shown_spans(client, trace_id)
        for resource_spans in request.resource_spans:
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    back = shown.pop(span.span_id.hex(), None)
                    faults = oracle.faults(back, span, resource_spans.resource, scope_spans) if back else ["lost"]
                    if faults:
                        tally.crash("\n".join([*faults, str(span)]))
                        tally.settle()
                    tally.count("spans as sent")
        assert not shown

    examples()
    assert sync_registry()
    doubles = [column for column, kind in CANONICAL.items() if kind is float and column != "cost_usd"]
    not_finite = " OR ".join(f"NOT isFinite({column})" for column in doubles)
    assert clickhouse.command(f"SELECT count() FROM kept_mapped_spans WHERE {not_finite}") == 0  # noqa: S608  constants
