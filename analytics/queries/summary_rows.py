"""The rows of trace_summaries: those that count now, and as the summaries that lists show."""

from collections.abc import Mapping
from typing import Any, Final

from analytics.queries.conditions import Conditions
from analytics.queries.prices import TRACE_COST
from analytics.queries.summaries import TraceSummary

SUMMARY_COLUMNS: Final = f"""
    lower(hex(trace_id)) AS id,
    toUnixTimestamp64Nano(start_time) AS start_ns,
    toUnixTimestamp64Nano(end_time) AS end_ns,
    service_name, environment, root_span_name, status, span_count, error_count, models, gpu_count, gpu_time_ns,
    tokens_input, tokens_output, {TRACE_COST} AS cost
"""


def live_traces(columns: str, matching: Conditions) -> str:
    """Return the SELECT of one row for each trace that matches; it binds `tenant` too, which the caller provides.

    A row that was taken back is left out until a merge finds both; its time is the same, so the range holds for both.
    """
    in_range = Conditions([condition for condition in matching.sql if condition.startswith("start_time ")])
    return f"""
        SELECT {columns}
        FROM trace_summaries
        WHERE {matching.where()}
            AND weight > 0
            AND superseded_at = 0
            AND version NOT IN (SELECT version FROM trace_summaries WHERE {in_range.where()} AND weight < 0)"""


def summary_of(row: Mapping[str, Any]) -> TraceSummary:
    """Return the summary of a row that was read with SUMMARY_COLUMNS."""
    return TraceSummary(
        trace_id=row["id"],
        start_ns=row["start_ns"],
        end_ns=row["end_ns"],
        service_name=row["service_name"],
        environment=row["environment"],
        root_span_name=row["root_span_name"],
        status=row["status"],
        span_count=row["span_count"],
        error_count=row["error_count"],
        models=row["models"],
        gpu_count=row["gpu_count"],
        gpu_time_ns=row["gpu_time_ns"],
        tokens_input=row["tokens_input"],
        tokens_output=row["tokens_output"],
        cost_usd=row["cost"],
    )
