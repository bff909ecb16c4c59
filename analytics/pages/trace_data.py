"""A waterfall as the browser draws it: columns of small numbers, one row a span, depth first, parents first."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.urls import reverse

from analytics.critical_path import critical_path
from analytics.queries.waterfall import Gpu, Waterfall
from analytics.times import NS_PER_MS
from analytics.tree import NO_PARENT

_STATUSES: Final = {"unset": "0", "ok": "1", "error": "2"}


def waterfall_data(found: Waterfall) -> dict[str, Any]:
    """Return the columns, where `begin`, `took`, `own` and the path are nanoseconds, `begin` after the trace's start.

    `ids` are 16 characters of each span in one text, `status` is one digit of each; `name`, `service` and `model` are
    numbers of the lists beside them. What few spans have stands by their rows: `llm`, `path`, `gpus`, the `orphans`,
    whose parent is not here, and the `repeated`, whose id has come before.
    """
    places, tree = found.places, found.tree
    order = tree.order
    row_of = {at: row for row, at in enumerate(order)}
    first_ns = min(places.start_ns)
    names, name = _numbered(found.names[at] for at in order)
    services, service = _numbered(found.services[at] for at in order)
    models, model = _numbered(found.models[at] for at in order)
    llm = [
        (row, at)
        for row, at in enumerate(order)
        if found.ttft_ms[at] is not None or found.tokens_input[at] is not None or found.tokens_output[at] is not None
    ]
    path = critical_path(places, tree)
    return {
        "start_ms": first_ns / NS_PER_MS,
        "duration": max(places.end_ns) - first_ns,
        "ids": b"".join([places.span_ids[at] for at in order]).decode().replace('"', ""),
        "depth": [tree.depth[at] for at in order],
        "begin": [places.start_ns[at] - first_ns for at in order],
        "took": [places.end_ns[at] - places.start_ns[at] for at in order],
        "own": [tree.self_time_ns[at] for at in order],
        "names": names,
        "name": name,
        "services": services,
        "service": service,
        "models": models,
        "model": model,
        "status": "".join([_STATUSES[found.statuses[at]] for at in order]),
        "orphans": [
            row for row, at in enumerate(order) if tree.parents[at] is None and places.parent_ids[at] != NO_PARENT
        ],
        "repeated": _repeated([places.span_ids[at] for at in order]),
        "llm": {
            "row": [row for row, _ in llm],
            "ttft": [found.ttft_ms[at] for _, at in llm],
            "input": [found.tokens_input[at] for _, at in llm],
            "output": [found.tokens_output[at] for _, at in llm],
        },
        "path": {
            "row": [row_of[stretch.at] for stretch in path],
            "begin": [stretch.start_ns - first_ns for stretch in path],
            "end": [stretch.end_ns - first_ns for stretch in path],
        },
        "gpus": [_gpu(gpu, row_of) for gpu in found.gpus],
    }


def _gpu(gpu: Gpu, row_of: dict[int, int]) -> dict[str, Any]:
    texts = {name: gpu.texts.get(name) or "" for name in ("model", "resource_type", "node_id", "user_label")}
    return {
        "uuid": gpu.resource_uuid,
        "href": reverse("pages:gpu", args=[gpu.resource_uuid]),
        **texts,
        "row": [row_of[at] for at in gpu.spans],
        "utilization": gpu.utilizations,
    }


def _numbered(texts: Iterable[str]) -> tuple[list[str], list[int]]:
    """Return the different texts in the order in which they come, and the number of each."""
    numbers: dict[str, int] = {}
    column = [numbers.setdefault(text, len(numbers)) for text in texts]
    return list(numbers), column


def _repeated(span_ids: Sequence[bytes]) -> list[int]:
    seen: set[bytes] = set()
    rows = []
    for row, span_id in enumerate(span_ids):
        if span_id in seen:
            rows.append(row)
        seen.add(span_id)
    return rows
