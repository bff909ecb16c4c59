"""What the API must answer about which GPUs there are: the registry's word and the latest known readings."""

from typing import Any

from tests.oracle.comparing import AnyOf
from tests.oracle.gpu_series import last_of
from tests.oracle.measures import DAY_NS, time_text
from tests.oracle.model import Model
from tests.oracle.records import READINGS
from tests.oracle.registry import Word

NEVER_NULL = ("utilization", "memory_used_gb", "memory_total_gb")


def gpu_list(model: Model, filters: dict[str, str], now_ns: int) -> list[dict[str, Any]]:
    rows = [_row(model, word, now_ns) for word in model.registry.values()]
    found = [row for row in rows if all(_holds(row, name, asked) for name, asked in filters.items())]
    return sorted(found, key=lambda row: (row["node_id"], row["physical_uuid"], row["resource_uuid"]))


def _holds(row: dict[str, Any], name: str, asked: str) -> bool:
    match name:
        case "label":
            return asked in row["user_labels"]
        case "q":
            names = ("resource_uuid", "physical_uuid", "model", "vendor", "node_id", "resource_type")
            texts = [*(row[name] for name in names), *row["user_labels"]]
            return any(asked.lower() in text.lower() for text in texts)
    return bool(row[name] == asked)


def _row(model: Model, word: Word, now_ns: int) -> dict[str, Any]:
    spans = [span for span in model.dataset.sent if span.tenant == model.tenant]  # it outlives deleted traces
    seen = [(span, gpu) for span in spans for gpu in span.gpus if gpu.resource == word.resource_uuid]
    known = {
        name: [(span.end_ns, value) for span, gpu in seen if (value := gpu.known(name)) is not None]
        for name in READINGS
    }
    read_ns = [at for name in READINGS if name != "memory_total_gb" for at, _ in known[name]]
    whole_card = word.resource_uuid == word.physical_uuid
    return {
        "resource_uuid": word.resource_uuid,
        "physical_uuid": word.physical_uuid,
        "model": word.model,
        "vendor": word.vendor or "NVIDIA",
        "resource_type": word.resource_type or ("full_gpu" if whole_card else "mig"),
        "node_id": word.node_id,
        # who was not seen for a day is taken to have left
        "user_labels": sorted({gpu.user_label for span, gpu in seen if span.end_ns >= now_ns - DAY_NS} - {""}),
        **{
            name: AnyOf(tuple(last_of(known[name]))) if known[name] else (0 if name in NEVER_NULL else None)
            for name in READINGS
        },
        **({} if word.memory_total_gb is None else {"memory_total_gb": word.memory_total_gb}),
        "reading_at": time_text(max(read_ns)) if read_ns else None,
        "cost_per_hour_usd": None if word.cost_per_hour_usd is None else float(word.cost_per_hour_usd),
        "first_seen": _moment(min((span.start_ns for span, _ in seen), default=None)),
        "last_seen": _moment(max((span.end_ns for span, _ in seen), default=None)),
    }


def _moment(ns: int | None) -> str | None:
    """Return the time as the registry keeps it, in microseconds."""
    return None if ns is None else time_text(ns // 1000 * 1000)
