"""Writes a data set and a question down, so that a person can see what went wrong."""

from typing import Any

from tests.oracle.measures import SECOND_NS, time_text
from tests.oracle.questions import Question
from tests.oracle.records import Dataset, Span

MOST_SPANS = 30
DEFAULTS = {"kind": "internal", "status": "unset", "message": "", "gpus": (), "attributes": {}, "parent_span_id": ""}


def show(question: Question, tenant: int, fault: str, dataset: Dataset) -> str:
    spans = [
        f"  batch {number}: {show_span(span, dataset.anchor_ns)}"
        for number, batch in enumerate(dataset.batches)
        for span in batch
    ]
    more = [f"  … and {len(spans) - MOST_SPANS} more spans"] if len(spans) > MOST_SPANS else []
    return "\n".join(
        [
            f"GET {question.path} {question.parameters} as tenant {tenant}",
            fault,
            f"of {len(spans)} spans around {time_text(dataset.anchor_ns)}:",
            *spans[:MOST_SPANS],
            *more,
            *(f"  deleted: {trace_id} of tenant {tenant}" for tenant, trace_id in dataset.deleted),
            *(f"  registry: {each}" for each in (*dataset.cards, *dataset.resources)),
        ]
    )


def show_span(span: Span, anchor_ns: int) -> str:
    """Return the span on a line: its times in seconds after the anchor, and what is not as usual."""
    fields: dict[str, Any] = {
        name: value for name, value in vars(span).items() if name not in DEFAULTS or value != DEFAULTS[name]
    }
    if span.gpus:
        fields["gpus"] = [{name: value for name, value in vars(gpu).items() if value} for gpu in span.gpus]
    start_ns, end_ns = fields.pop("start_ns") - anchor_ns, fields.pop("end_ns") - anchor_ns
    return f"{start_ns / SECOND_NS:.9f} to {end_ns / SECOND_NS:.9f} s " + " ".join(
        f"{name}={value!r}" for name, value in fields.items()
    )
