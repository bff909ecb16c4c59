"""What the API must answer: about traces and their spans, from the spans of one tenant."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.oracle.comparing import About
from tests.oracle.costs import parts_of, range_cost, span_costs, trace_costs
from tests.oracle.matching import Filters, gpu_text, meets
from tests.oracle.measures import ms, time_text
from tests.oracle.records import READINGS, TEXTS, Dataset, Gpu, Span
from tests.oracle.registry import words
from tests.oracle.traces import Trace, TraceFilters
from tests.oracle.trees import Node, roots, walk

ORDERS: dict[str, Callable[[Trace], Any]] = {
    "start_time": lambda trace: trace.start_ns,
    "duration_ms": lambda trace: trace.duration_ns,
    "error_count": lambda trace: trace.error_count,
    "span_count": lambda trace: len(trace.spans),
    # a cost that nobody knows is below every cost
    "cost_usd": lambda trace: (trace.cost_usd is not None, trace.cost_usd or 0),
}
SPAN_ORDERS: dict[str, Callable[[Span], Any]] = {
    "start_time": lambda span: span.start_ns,
    "duration_ms": lambda span: span.duration_ns,
    "cost_usd": lambda span: (span.cost_usd is not None, span.cost_usd or 0),
}


class Model:
    """What one tenant's spans, and its part of the registry, come to."""

    def __init__(self, dataset: Dataset, tenant: int) -> None:
        self.dataset = dataset
        self.tenant = tenant
        self.spans = [span for span in dataset.spans if span.tenant == tenant]
        self.registry = words(dataset, tenant)
        ids = sorted({span.trace_id for span in self.spans})
        self.parts = parts_of(self.spans)
        self.traces = [self._trace(each) for each in ids]

    def _trace(self, trace_id: str) -> Trace:
        places = [at for at, span in enumerate(self.spans) if span.trace_id == trace_id]
        costs = trace_costs(self.spans, places, self.parts, self.registry)
        return Trace(trace_id, [self.spans[at] for at in places], costs)

    def gpu_cost(self, wanted: TraceFilters, **named: str) -> float | None:
        """Return what the GPU time in the range costs of the spans that meet the filters and are named so."""
        places = [
            at
            for at, span in enumerate(self.spans)
            if self.meets(span, wanted.one_span) and all(getattr(span, key) == name for key, name in named.items())
        ]
        return range_cost(self.spans, places, self.parts, self.registry, *wanted.range)

    def meets(self, span: Span, filters: Filters) -> bool:
        return meets(span, filters, self.registry)

    def matching(self, wanted: TraceFilters) -> list[Trace]:
        return [trace for trace in self.traces if wanted.hold(trace) and self.matching_spans(trace, wanted)]

    def matching_spans(self, trace: Trace, wanted: TraceFilters) -> list[Span]:
        return [span for span in trace.spans if self.meets(span, wanted.one_span)]

    def trace(self, trace_id: str) -> Trace | None:
        return next((trace for trace in self.traces if trace.trace_id == trace_id), None)

    def trace_list(self, wanted: TraceFilters, order_by: str) -> list[dict[str, Any]]:
        """Return the summaries in order, those that are alike in it by start and id in the same direction."""
        key = ORDERS[order_by.removeprefix("-")]
        found = sorted(self.matching(wanted), key=lambda trace: (key(trace), trace.start_ns, trace.trace_id))
        return [trace.summary for trace in (found[::-1] if order_by.startswith("-") else found)]

    def trace_detail(self, trace_id: str) -> dict[str, Any] | None:
        trace = self.trace(trace_id)
        if trace is None:
            return None
        costs = {id(trace.spans[at]): cost for at, cost in span_costs(trace.spans, trace.gpu_costs).items()}
        return {**trace.summary, "spans": [self._nested(root, costs) for root in roots(trace.spans)]}

    def trace_spans(self, trace_id: str, wanted: TraceFilters) -> list[dict[str, Any]] | None:
        trace = self.trace(trace_id)
        if trace is None:
            return None
        return [
            self._flat(node)
            for node in walk(trace.spans)
            if wanted.hold(node.span) and self.meets(node.span, wanted.one_span)
        ]

    def span_list(self, wanted: TraceFilters, order_by: str) -> list[dict[str, Any]]:
        """Return spans of all traces, each with its place in its own; those that were sent twice share the first's."""
        key = SPAN_ORDERS[order_by.removeprefix("-")]
        places = [list(walk(trace.spans)) for trace in self.traces]
        nodes = [next(first for first in nodes if first.span == node.span) for nodes in places for node in nodes]
        found = sorted(
            (node for node in nodes if wanted.hold(node.span) and self.meets(node.span, wanted.one_span)),
            key=lambda node: (key(node.span), node.span.start_ns, node.span.trace_id, node.span.span_id),
        )
        return [
            {"trace_id": node.span.trace_id, **self._flat(node)}
            for node in (found[::-1] if order_by.startswith("-") else found)
        ]

    def _flat(self, node: Node) -> dict[str, Any]:
        return {**self._span(node), "depth": node.depth}

    def _nested(self, node: Node, costs: Mapping[int, float]) -> dict[str, Any]:
        """Return the span and those below it; `costs` are of those that did not say what they cost."""
        cost = {"cost_usd": About(costs[id(node.span)])} if id(node.span) in costs else {}
        return {**self._span(node), **cost, "children": [self._nested(child, costs) for child in node.children]}

    def _span(self, node: Node) -> dict[str, Any]:
        span = node.span
        where_set = {
            "parent_span_id": span.parent_span_id,
            "error_message": span.message,
            "environment": span.environment,
            "model_name": span.model_name,
        }
        where_known = {
            "tokens_input": span.tokens_input,
            "tokens_output": span.tokens_output,
            "ttft_ms": span.ttft_ms,
            "queue_ms": span.queue_ms,
            "tokens_per_second": span.tokens_per_second,
            "cost_usd": None if span.cost_usd is None else float(span.cost_usd),
        }
        return {
            "span_id": span.span_id,
            "name": span.name,
            "start_time": time_text(span.start_ns),
            "end_time": time_text(span.end_ns),
            "duration_ms": ms(span.duration_ns),
            "self_time_ms": ms(node.self_time_ns),
            "status": span.status,
            "kind": span.kind,
            "service_name": span.service_name,
            **{name: text for name, text in where_set.items() if text},
            **{name: number for name, number in where_known.items() if number is not None},
            "attributes": {key: _shown(value) for key, value in span.attributes.items()},
            "gpus": [self._gpu(gpu) for gpu in sorted(span.gpus, key=lambda gpu: gpu.number) if gpu.is_sent],
            "events": [],
            "links": [],
            "resource": dict(span.resource),
            "scope": {"name": "oracle", "version": "1"},
        }

    def _gpu(self, gpu: Gpu) -> dict[str, Any]:
        """Return the attribution as it was sent, with the registry's word or the usual one in its gaps."""
        texts = {name: gpu_text(gpu, name, self.registry) for name in TEXTS if name != "user_label"}
        if gpu.resource:
            whole_card = gpu.resource == texts["physical_uuid"]
            texts["vendor"] = texts["vendor"] or "NVIDIA"
            texts["resource_type"] = texts["resource_type"] or ("full_gpu" if whole_card else "mig")
        return {
            **{name: text or None for name, text in (texts | {"user_label": gpu.user_label}).items()},
            "source": "span",
            **{name: gpu.readings.get(name) for name in READINGS},
        }


def _shown(value: Any) -> Any:
    """Return an attribute's value as it is shown: a map as its JSON text."""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else value
