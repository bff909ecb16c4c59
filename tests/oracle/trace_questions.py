"""Questions about traces and spans: lists by page, and one trace as a tree and flat."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.oracle.comparing import AnyText
from tests.oracle.model import ORDERS, SPAN_ORDERS, Model
from tests.oracle.questions import SPAN_FILTERS, Drawer, Parameters, Question
from tests.oracle.traces import TraceFilters

DEFAULT_LIMIT = 50
# The rows of a list, all of them, as the model has them at a time; None where there is no such list.
Rows = Callable[[Model, int], Sequence[Any] | None]


def list_traces(draw: Drawer) -> Question:
    parameters: Parameters = {}
    wanted = draw.trace_filters(parameters, (*SPAN_FILTERS, "name"))
    order_by = _order(draw, parameters, list(ORDERS))
    return listed(draw, "/traces", "traces", parameters, lambda model, _now_ns: model.trace_list(wanted, order_by))


def get_trace(draw: Drawer) -> Question:
    trace_id = draw.trace_id()
    return Question(f"/traces/{trace_id}", {}, lambda model, _now_ns: model.trace_detail(trace_id))


def list_trace_spans(draw: Drawer) -> Question:
    parameters: Parameters = {}
    trace_id = draw.trace_id()
    one_span = draw.filters(parameters, ("service_name", "model_name", "name"))
    status = draw.dice.choice((None, None, None, "ok", "error", "unset"))
    if status:
        parameters["status"] = status
    wanted = TraceFilters(status=status, one_span=one_span)
    return listed(
        draw,
        f"/traces/{trace_id}/spans",
        "spans",
        parameters,
        lambda model, _now_ns: model.trace_spans(trace_id, wanted),
    )


def list_spans(draw: Drawer) -> Question:
    parameters: Parameters = {}
    wanted = draw.trace_filters(parameters, (*SPAN_FILTERS, "name"))
    order_by = _order(draw, parameters, list(SPAN_ORDERS))
    return listed(draw, "/spans", "spans", parameters, lambda model, _now_ns: model.span_list(wanted, order_by))


def _order(draw: Drawer, parameters: Parameters, orders: Sequence[str]) -> str:
    if draw.maybe(0.3):
        return "-start_time"
    parameters["order_by"] = order_by = draw.dice.choice(("", "-")) + draw.dice.choice(orders)
    return order_by


def listed(draw: Drawer, path: str, name: str, parameters: Parameters, rows: Rows) -> Question:
    """Return the question for one page, or for all pages from the first to the last."""
    count = len(rows(draw.model, draw.model.dataset.anchor_ns) or ())
    if draw.maybe(0.3):
        limit = draw.dice.choice((max(1, count // 3), max(1, count // 2), max(1, count - 1), max(1, count), count + 1))
        parameters["limit"] = limit
        return Question(path, parameters, lambda model, now_ns: _pages(rows(model, now_ns), name, limit), pages=True)
    limit, offset = DEFAULT_LIMIT, 0
    if draw.maybe(0.5):
        parameters["limit"] = limit = draw.dice.choice((1, 2, 5, 1000))
    if draw.maybe(0.2):
        parameters["offset"] = offset = draw.dice.randrange(count + 2)

    def answer(model: Model, now_ns: int) -> Any:
        found = rows(model, now_ns)
        return None if found is None else _page(found, name, limit, offset)

    return Question(path, parameters, answer)


def _pages(rows: Sequence[Any] | None, name: str, limit: int) -> list[Any] | None:
    if rows is None:
        return None
    return [_page(rows, name, limit, offset) for offset in range(0, max(len(rows), 1), limit)]


def _page(rows: Sequence[Any], name: str, limit: int, offset: int) -> dict[str, Any]:
    return {
        name: list(rows[offset : offset + limit]),
        "total": len(rows),
        "limit": limit,
        "offset": offset,
        "next": AnyText() if offset + limit < len(rows) else None,
    }
