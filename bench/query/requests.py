"""OTLP requests as collectors send them, made once; ids and times are put in place in the bytes before each is sent."""

import os
import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bench.query.fleet import Pod

PODS_A_REQUEST, SPANS_A_POD = 8, 64
SPANS_A_REQUEST = PODS_A_REQUEST * SPANS_A_POD
NAMES = ("POST /v1/generate", "llm_request", "prefill", "decode", "detokenize")
"""Of the spans of a trace, the root's first."""
ERROR_SHARE = 0.05
LATEST_NS, LONGEST_NS = 2 * 10**9, 10**9
"""How long ago a trace ended at most, and how long it took."""
FIXED64 = struct.Struct("<Q")
TRACE_ID, SPAN_ID = 16, 8  # bytes


@dataclass(frozen=True)
class Place:
    """Where a span's own bytes are in a request, and its times: how long before now it begins, how long it takes."""

    trace_id: int
    span_id: int
    parent_span_id: int | None
    start: int
    end: int
    before_now_ns: int
    duration_ns: int


class Template:
    """A request that can be sent again and again, each time with other spans."""

    def __init__(self, fleet: Sequence[Pod], dice: random.Random) -> None:
        """Make a request of some of these pods, each of which has a device."""
        self._data = bytearray(message(fleet, dice).SerializeToString())
        self._places = list(places(self._data, dice))

    def fresh(self, now_ns: int) -> bytearray:
        """Return the request with new ids and with times counted back from now; the next call changes it."""
        data, put = self._data, FIXED64.pack_into
        ids = os.urandom(TRACE_ID * len(self._places))
        trace_id = root_id = b""
        for number, place in enumerate(self._places):
            own = ids[TRACE_ID * number : TRACE_ID * (number + 1)]
            span_id = own[:SPAN_ID]
            if place.parent_span_id is None:
                trace_id, root_id = own[::-1], span_id
            else:
                data[place.parent_span_id : place.parent_span_id + SPAN_ID] = root_id
            data[place.trace_id : place.trace_id + TRACE_ID] = trace_id
            data[place.span_id : place.span_id + SPAN_ID] = span_id
            start_ns = now_ns - place.before_now_ns
            put(data, place.start, start_ns)
            put(data, place.end, start_ns + place.duration_ns)
        return data


def mark(number: int, kind: int) -> bytes:
    """Return bytes that stand nowhere else in a request, to be found again and overwritten; kind is below 16."""
    return b"\xfe\xed" + (number << 4 | kind).to_bytes(4, "big") + b"\xfa\xce"


def message(fleet: Sequence[Pod], dice: random.Random) -> ExportTraceServiceRequest:
    """Return a request in which ids and times are marks."""
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
            number = pod_number * SPANS_A_POD + place
            step = place % len(NAMES)
            span = scope_spans.spans.add(
                trace_id=mark(number, 0) * 2,
                span_id=mark(number, 1),
                parent_span_id=mark(number, 2) if step else b"",
                name=NAMES[step],
                kind=Span.SPAN_KIND_INTERNAL if step else Span.SPAN_KIND_SERVER,
                start_time_unix_nano=int.from_bytes(mark(number, 3), "little"),
                end_time_unix_nano=int.from_bytes(mark(number, 4), "little"),
            )
            failed = dice.random() < ERROR_SHARE
            span.status.code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_OK
            _describe(span, pod, dice)
    return request


def places(data: bytes | bytearray, dice: random.Random) -> Iterator[Place]:
    """Find the marks of each span, and choose its times: those of a trace are nested."""
    at = 0
    for number in range(SPANS_A_REQUEST):
        step = number % SPANS_A_POD % len(NAMES)
        if step == 0:
            duration_ns = dice.randrange(10**6, LONGEST_NS)
            before_now_ns = duration_ns + dice.randrange(LATEST_NS)
        trace_id = at = data.index(mark(number, 0) * 2, at)
        span_id = at = data.index(mark(number, 1), at)
        parent = at = data.index(mark(number, 2), at) if step else at
        start = at = data.index(mark(number, 3), at)
        end = at = data.index(mark(number, 4), at)
        begins_ns = duration_ns * step // 8
        yield Place(
            trace_id, span_id, parent if step else None, start, end,
            before_now_ns - begins_ns, max(duration_ns - 2 * begins_ns, 1000),
        )  # fmt: skip


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
    for key, value in values.items():
        sent = span.attributes.add(key=key).value
        match value:
            case str():
                sent.string_value = value
            case int():
                sent.int_value = value
            case float():
                sent.double_value = value
