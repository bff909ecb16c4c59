"""OTLP requests as collectors send them: the traffic of many pods, each span with the Axonize SDK's 22 attributes."""

import random
from collections.abc import Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bench.axonize_sdk import set_attributes
from bench.query.fleet import Pod
from bench.template import add_span

PODS_A_REQUEST, SPANS_A_POD = 8, 64
SPANS_A_REQUEST = PODS_A_REQUEST * SPANS_A_POD
NAMES = ("POST /v1/generate", "llm_request", "prefill", "decode", "detokenize")
"""Of the spans of a trace, the root's first."""
ERROR_SHARE = 0.05


def message(fleet: Sequence[Pod], dice: random.Random) -> ExportTraceServiceRequest:
    """Return a request for bench.template of some of these pods, each of which has a device."""
    request = ExportTraceServiceRequest()
    for pod_number in range(PODS_A_REQUEST):
        pod = dice.choice(fleet)
        resource_spans = request.resource_spans.add()
        for key, text in {
            "service.name": pod.service,
            "service.version": pod.version,
            "deployment.environment": pod.environment,
            "host.name": pod.node,
            "k8s.pod.name": pod.name,
        }.items():
            resource_spans.resource.attributes.add(key=key).value.string_value = text
        scope_spans = resource_spans.scope_spans.add()
        scope_spans.scope.name = "axonize"
        for place in range(SPANS_A_POD):
            step = place % len(NAMES)
            span = add_span(
                scope_spans,
                pod_number * SPANS_A_POD + place,
                step,
                name=NAMES[step],
                kind=Span.SPAN_KIND_INTERNAL if step else Span.SPAN_KIND_SERVER,
            )
            failed = dice.random() < ERROR_SHARE
            span.status.code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_OK
            _describe(span, pod, dice)
    return request


def _describe(span: Span, pod: Pod, dice: random.Random) -> None:
    """Add the 22 attributes that the Axonize SDK sends with a span on one GPU, the same keys as bench/mapping.py's."""
    device = pod.devices[0]
    values: dict[str, str | int | float] = {
        "ai.model.name": pod.model,
        "ai.model.version": pod.version,
        "ai.inference.type": "llm",
        "ai.llm.tokens.input": dice.randrange(4000),
        "ai.llm.tokens.output": dice.randrange(900),
        "ai.llm.ttft_ms": dice.uniform(5, 100),
        "ai.llm.tokens_per_second": dice.uniform(5, 900),
        "cost.usd": round(dice.uniform(0, 0.01), 6),
        "axonize.duration_ms": dice.uniform(1, 1000),
        "gpu.0.resource_uuid": device.resource_uuid,
        "gpu.0.physical_uuid": device.physical_uuid,
        "gpu.0.model": device.card.name,
        "gpu.0.vendor": "NVIDIA",
        "gpu.0.node_id": device.node,
        "gpu.0.resource_type": device.resource_type,
        "gpu.0.user_label": "cuda:0",
        "gpu.0.utilization": dice.uniform(20, 100),
        "gpu.0.memory_used_gb": dice.uniform(0.4, 0.95) * device.memory_gib,
        "gpu.0.memory_total_gb": device.memory_gib,
        "gpu.0.temperature_celsius": dice.randrange(40, 85),
        "gpu.0.power_watts": dice.randrange(80, device.card.max_watts),
        "gpu.0.clock_mhz": 1410,
    }
    set_attributes(span, values)
