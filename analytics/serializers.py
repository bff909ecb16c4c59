"""The answers of the traces and overview endpoints, field by field: they make the short answers and document all."""

from typing import Any, Final

from rest_framework import serializers

from analytics.params import MillisecondsField, TimeField
from analytics.queries.summaries import TraceSummary
from analytics.span_rows import CANONICAL, GPU_READINGS, GPU_TEXTS, PROTOCOL
from analytics.times import format_time, milliseconds

KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES: Final = ("ok", "error", "unset")
_FIELD_OF_TYPE: Final = {str: serializers.CharField, int: serializers.IntegerField, float: serializers.FloatField}


def attributes_field(**kwargs: Any) -> serializers.DictField:
    return serializers.DictField(child=serializers.JSONField(), **kwargs)


class TraceSummarySerializer(serializers.Serializer[Any]):
    """A trace, whole. Texts are its root span's, of the earliest span where no root has arrived."""

    trace_id = serializers.CharField()
    start_time = TimeField(source="start_ns")
    end_time = TimeField(source="end_ns")
    duration_ms = MillisecondsField(source="duration_ns")
    service_name = serializers.CharField()
    environment = serializers.CharField()
    span_count = serializers.IntegerField()
    error_count = serializers.IntegerField(help_text="How many of its spans failed.")
    root_span_name = serializers.CharField()
    status = serializers.ChoiceField(STATUSES, help_text="`error` when any span failed, else the root's.")
    models = serializers.ListField(child=serializers.CharField())
    tokens_input = serializers.IntegerField()
    tokens_output = serializers.IntegerField()
    gpu_count = serializers.IntegerField(help_text="Compute resources that its spans ran on.")
    gpu_time_ms = MillisecondsField(
        source="gpu_time_ns", help_text="How long each resource was held by any span, summed over the resources."
    )
    cost_usd = serializers.FloatField(allow_null=True, help_text="Null where no span sent a cost.")


class PageSerializer(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="How many there are on all pages together.")
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    next = serializers.CharField(allow_null=True, help_text="`cursor` of the next page; null on the last.")


class TracePageSerializer(PageSerializer):
    traces = TraceSummarySerializer(many=True)


class GpuAttributionSerializer(serializers.Serializer[Any]):
    """A GPU, or slice of one, that a span ran on, and its readings then. Null is what nobody knows."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        texts = {name: serializers.CharField(allow_null=name != "resource_uuid") for name in GPU_TEXTS}
        source = serializers.ChoiceField(
            ["span", "context"],
            help_text="Who names it: the span itself, or the registry's context of the host, pod and process that sent "
            "the span, where that leaves no doubt.",
        )
        readings = {name: serializers.FloatField(allow_null=True) for name in GPU_READINGS}
        return {**texts, "source": source, **readings}


class EventSerializer(serializers.Serializer[Any]):
    time = TimeField()
    name = serializers.CharField()
    attributes = attributes_field()
    dropped_attributes_count = serializers.IntegerField(required=False)


class LinkSerializer(serializers.Serializer[Any]):
    trace_id = serializers.CharField()
    span_id = serializers.CharField()
    attributes = attributes_field()
    trace_state = serializers.CharField(required=False)
    dropped_attributes_count = serializers.IntegerField(required=False)
    flags = serializers.IntegerField(required=False)


class ScopeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField()
    attributes = attributes_field(required=False)


class SpanSerializer(serializers.Serializer[Any]):
    """A span. A field that is not required stands there where it is set."""

    span_id = serializers.CharField()
    parent_span_id = serializers.CharField(
        required=False, help_text="As it was sent, whether that span is here or not."
    )
    name = serializers.CharField()
    start_time = TimeField()
    end_time = TimeField()
    duration_ms = MillisecondsField()
    self_time_ms = MillisecondsField(help_text="The part of its time in which none of its children ran.")
    status = serializers.ChoiceField(STATUSES)
    error_message = serializers.CharField(required=False)
    kind = serializers.ChoiceField(KINDS)
    attributes = attributes_field(
        help_text="Every attribute that was sent, those of GPUs excepted, in its type; a map as its JSON text."
    )
    gpus = GpuAttributionSerializer(many=True)
    events = EventSerializer(many=True)
    links = LinkSerializer(many=True)
    resource = attributes_field(help_text="Attributes of what sent the span.")
    scope = ScopeSerializer()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        columns = {**CANONICAL, **PROTOCOL}
        return {
            **super().get_fields(),
            **{name: _FIELD_OF_TYPE[kind](required=False) for name, kind in columns.items()},
        }


class NestedSpanSerializer(SpanSerializer):
    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        children = NestedSpanSerializer(many=True, help_text="By start time, then span id.")
        return {**super().get_fields(), "children": children}


class FlatSpanSerializer(SpanSerializer):
    depth = serializers.IntegerField(help_text="0 for a root.")


class FoundSpanSerializer(FlatSpanSerializer):
    trace_id = serializers.CharField()
    self_time_ms = MillisecondsField(
        allow_null=True,
        help_text="The part of its time in which none of its children ran; null in a trace of more than 100,000 spans.",
    )
    depth = serializers.IntegerField(allow_null=True, help_text="0 for a root; null as self_time_ms is.")


class TraceSerializer(TraceSummarySerializer):
    spans = NestedSpanSerializer(many=True, help_text="The roots: spans without a parent among the trace's spans.")


class SpanPageSerializer(PageSerializer):
    spans = FlatSpanSerializer(many=True)


class FoundSpanPageSerializer(PageSerializer):
    spans = FoundSpanSerializer(many=True)


class ThroughputPointSerializer(serializers.Serializer[Any]):
    timestamp = TimeField(source="start_ns", help_text="Where the bucket begins.")
    count = serializers.IntegerField()


class LatencyPointSerializer(serializers.Serializer[Any]):
    timestamp = TimeField(source="start_ns")
    p50_ms = MillisecondsField(source="p50_ns", allow_null=True)
    p95_ms = MillisecondsField(source="p95_ns", allow_null=True)
    p99_ms = MillisecondsField(source="p99_ns", allow_null=True)


class OverviewSerializer(serializers.Serializer[Any]):
    """Traces that began in the range; latency is that of whole traces."""

    total_traces = serializers.IntegerField()
    avg_latency_ms = MillisecondsField(source="avg_latency_ns")
    error_rate = serializers.FloatField(help_text="The share of traces, 0 to 1, in which a span failed.")
    active_gpu_count = serializers.IntegerField(help_text="Compute resources that these traces ran on.")
    total_spans = serializers.IntegerField()
    tokens_input = serializers.IntegerField()
    tokens_output = serializers.IntegerField()
    cost_usd = serializers.FloatField()
    bucket_seconds = serializers.IntegerField(help_text="The width of the buckets of both series.")
    throughput_series = ThroughputPointSerializer(many=True, source="buckets")
    latency_series = LatencyPointSerializer(many=True, source="buckets")


def summary_json(trace: TraceSummary) -> dict[str, Any]:
    """Return what TraceSummarySerializer documents; by hand, for a page has up to a thousand of them."""
    return {
        "trace_id": trace.trace_id,
        "start_time": format_time(trace.start_ns),
        "end_time": format_time(trace.end_ns),
        "duration_ms": milliseconds(trace.duration_ns),
        "service_name": trace.service_name,
        "environment": trace.environment,
        "span_count": trace.span_count,
        "error_count": trace.error_count,
        "root_span_name": trace.root_span_name,
        "status": trace.status,
        "models": trace.models,
        "tokens_input": trace.tokens_input,
        "tokens_output": trace.tokens_output,
        "gpu_count": trace.gpu_count,
        "gpu_time_ms": milliseconds(trace.gpu_time_ns),
        "cost_usd": None if trace.cost_usd is None else float(trace.cost_usd),
    }
