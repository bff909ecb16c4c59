"""An OTLP request made once and sent again and again: ids and times are put in place in its bytes before each time."""

import os
import random

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

LATEST_NS, SHORTEST_NS, LONGEST_NS = 2 * 10**9, 10**6, 10**9
"""How long ago a trace ended at most, and how long it took."""
TRACE_ID, SPAN_ID, TIME = 16, 8, 8  # bytes
_TRACE, _SPAN, _PARENT, _START, _END = range(5)

Offsets = NDArray[np.intp]


def add_span(scope_spans: ScopeSpans, number: int, step: int, **fields: object) -> Span:
    """Add a span to a message for :class:`Template`.

    Args:
        scope_spans: what it is added to.
        number: which one of the request it is, counted from 0 in the order of the request.
        step: which one of its trace it is; 0 begins a trace and is its root, the parent of all that follow.
        fields: whatever else a span has.

    """
    return scope_spans.spans.add(
        trace_id=_mark(number, _TRACE) * 2,
        span_id=_mark(number, _SPAN),
        parent_span_id=_mark(number, _PARENT) if step else b"",
        start_time_unix_nano=int.from_bytes(_mark(number, _START), "little"),
        end_time_unix_nano=int.from_bytes(_mark(number, _END), "little"),
        **fields,
    )


class Template:
    """A request that can be sent again and again, each time with other spans."""

    def __init__(self, request: ExportTraceServiceRequest, dice: random.Random) -> None:
        """Take a request whose spans were added by :func:`add_span`, and choose their times: those of a trace nest."""
        self._data = data = bytearray(request.SerializeToString())
        self._bytes = np.frombuffer(data, np.uint8)
        roots: list[int] = []  # of each span, the number of its root
        starts, ends, parents, places = [], [], [], []
        at = 0
        while (found := data.find(_mark(len(roots), _TRACE) * 2, at)) >= 0:
            number = len(roots)
            span_id = data.index(_mark(number, _SPAN), found)
            start = data.index(_mark(number, _START), span_id)
            end = at = data.index(_mark(number, _END), start)
            parent = data.find(_mark(number, _PARENT), span_id, start)
            if parent < 0:
                duration_ns = dice.randrange(SHORTEST_NS, LONGEST_NS)
                before_now_ns = duration_ns + dice.randrange(LATEST_NS)
                roots.append(number)
            else:
                roots.append(roots[-1])
                parents.append((number, parent))
            begins_ns = duration_ns * (number - roots[-1]) // 8
            starts.append(begins_ns - before_now_ns)
            ends.append(starts[-1] + max(duration_ns - 2 * begins_ns, 1000))
            places.append((found, span_id, start, end))
        self.spans = len(roots)
        self._roots = np.array(roots)
        self._with_parent = np.array([number for number, _ in parents], np.intp)
        self._times_ns = np.array([starts, ends], np.int64)
        columns = list(zip(*places, strict=True))
        self._trace_ids = _each_byte(columns[0], TRACE_ID)
        self._span_ids = _each_byte(columns[1], SPAN_ID)
        self._parent_ids = _each_byte([parent for _, parent in parents], SPAN_ID)
        self._times = np.stack([_each_byte(column, TIME) for column in columns[2:]])

    def fresh(self, now_ns: int) -> bytearray:
        """Return the request with new ids and with times counted back from now; the next call changes it."""
        data, roots = self._bytes, self._roots
        ids = np.frombuffer(os.urandom(self.spans * (TRACE_ID + SPAN_ID)), np.uint8).reshape(self.spans, -1)
        data[self._trace_ids] = ids[roots, :TRACE_ID]
        data[self._span_ids] = ids[:, TRACE_ID:]
        data[self._parent_ids] = ids[roots[self._with_parent], TRACE_ID:]
        data[self._times] = (self._times_ns + now_ns).astype("<i8").view(np.uint8).reshape(*self._times.shape)
        return self._data

    @property
    def first_trace_id(self) -> str:
        """The id, in hex, of the request's first trace as :meth:`fresh` made it last."""
        trace_id: bytes = self._bytes[self._trace_ids[0]].tobytes()
        return trace_id.hex()


def _each_byte(offsets: "list[int] | tuple[int, ...]", size: int) -> Offsets:
    return np.array(offsets, np.intp).reshape(-1, 1) + np.arange(size)


def _mark(number: int, kind: int) -> bytes:
    """Return bytes that stand nowhere else in a request, to be found again and overwritten; kind is below 16."""
    return b"\xfe\xed" + (number << 4 | kind).to_bytes(4, "big") + b"\xfa\xce"
