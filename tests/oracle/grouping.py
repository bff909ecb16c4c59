"""Which spans a question of /analytics is about, and which groups each is in."""

from tests.oracle.matching import gpu_values
from tests.oracle.model import Model
from tests.oracle.records import Span
from tests.oracle.traces import TraceFilters

GROUP_BY = ("service_name", "model_name", "environment", "resource_uuid", "node_id", "name")


def spans_of(model: Model, wanted: TraceFilters) -> list[Span]:
    """Return the spans that began in the range and meet the filters."""
    return [span for span in model.spans if wanted.hold(span) and model.meets(span, wanted.one_span)]


def groups_of(model: Model, span: Span, group_by: str | None) -> set[str | None]:
    """Return the groups that a span is in: its service, its model …, or those of each of its GPUs; None without any."""
    if group_by is None:
        return {None}
    if group_by in ("resource_uuid", "node_id"):
        return {*gpu_values(span, group_by, model.registry)}
    return {getattr(span, group_by)} - {""}
