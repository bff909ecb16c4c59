"""What the API must answer about how much began when: traces, spans, failures and tokens, by time and by group."""

from typing import Any

from tests.oracle.grouping import groups_of, spans_of
from tests.oracle.latencies import MOST_BUCKETS, MOST_GROUPS, MOST_POINTS
from tests.oracle.measures import SECOND_NS, Interval, buckets, time_text, usual_seconds
from tests.oracle.model import Model
from tests.oracle.records import Span
from tests.oracle.traces import Trace, TraceFilters


def throughput(model: Model, group_by: str | None, bucket: int | None, wanted: TraceFilters) -> Any:
    """Return the answer, or the name of the parameter that asks for too much."""
    start_ns, end_ns = wanted.range
    width = bucket or usual_seconds(start_ns, end_ns, MOST_BUCKETS)
    groups = _groups(model, group_by, wanted)
    stretches = list(buckets(start_ns, end_ns, width))
    if len(stretches) * len(groups) > MOST_POINTS:
        return "bucket"
    return {
        "series": [
            {
                "timestamp": time_text(stretch[0]),
                **({} if group is None else {"group": group}),
                **_point(traces, spans, stretch, wanted),
            }
            for stretch in stretches
            for group, (traces, spans) in groups.items()
        ],
        "start": time_text(start_ns),
        "end": time_text(end_ns),
        "bucket_seconds": width,
    }


def _groups(
    model: Model, group_by: str | None, wanted: TraceFilters
) -> dict[str | None, tuple[list[Trace], list[Span]]]:
    """Return the traces and spans of each of the groups with the most spans; without `group_by` of all together."""
    of_trace = {
        trace: {group for span in model.matching_spans(trace, wanted) for group in groups_of(model, span, group_by)}
        for trace in model.matching(wanted)
    }
    of_span = [(span, groups_of(model, span, group_by)) for span in spans_of(model, wanted)]
    names: set[str | None] = set() if group_by else {None}
    names = names.union(*of_trace.values(), *(groups for _, groups in of_span))
    members = {
        name: (
            [trace for trace, groups in of_trace.items() if name in groups],
            [span for span, groups in of_span if name in groups],
        )
        for name in names
    }
    by_traffic = sorted(members, key=lambda name: (-len(members[name][1]), name or ""))
    return {name: members[name] for name in by_traffic[:MOST_GROUPS]}


def _point(traces: list[Trace], spans: list[Span], stretch: Interval, wanted: TraceFilters) -> dict[str, Any]:
    first_ns, last_ns = max(stretch[0], wanted.range[0]), min(stretch[1], wanted.range[1])
    began = [span for span in spans if first_ns <= span.start_ns < last_ns]
    tokens_output = sum(span.tokens_output or 0 for span in began)
    return {
        "traces": sum(first_ns <= trace.start_ns < last_ns for trace in traces),
        "spans": len(began),
        "errors": sum(span.status == "error" for span in began),
        "tokens_input": sum(span.tokens_input or 0 for span in began),
        "tokens_output": tokens_output,
        "tokens_per_second": tokens_output / ((last_ns - first_ns) / SECOND_NS) if tokens_output else 0,
    }
