"""What the API must answer about which GPUs there are: the registry's word and the latest known readings."""

from typing import Any

from tests.oracle.comparing import AnyOf
from tests.oracle.gpu_series import last_of
from tests.oracle.measures import DAY_NS, time_text
from tests.oracle.model import Model
from tests.oracle.records import READINGS
from tests.oracle.registry import Seen, Word

# What the tests set CONTEXT_SILENCE_SECONDS to, for the spans of a data set lie around a midnight.
SILENCE_NS = DAY_NS
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
    return {
        "resource_uuid": word.resource_uuid,
        "physical_uuid": word.physical_uuid,
        "model": word.model,
        "vendor": word.vendor or "NVIDIA",
        "resource_type": word.type_or_guess,
        "node_id": word.node_id,
        "user_labels": labels_held(seen, now_ns),
        **{
            name: AnyOf(tuple(last_of(known[name]))) if known[name] else (0 if name in NEVER_NULL else None)
            for name in READINGS
        },
        **({} if word.memory_total_gb is None else {"memory_total_gb": word.memory_total_gb}),
        "reading_at": time_text(max(read_ns)) if read_ns else None,
        "cost_per_hour_usd": None if word.cost_per_hour_usd is None else float(word.cost_per_hour_usd),
        "share": None if word.share is None else float(word.share),
        "mig_profile": word.mig_profile,
        "sm_share": word.sm_share,
        "labels": {},
        "retired_at": None,
        "first_seen": _moment(min((span.start_ns for span, _ in seen), default=None)),
        "last_seen": _moment(max((span.end_ns for span, _ in seen), default=None)),
    }


def labels_held(seen: Seen, now_ns: int) -> list[str]:
    """Return the labels that a resource is held under: its spans say of a holder no more than that.

    One has ended where another began when it was seen no more, or where it was not seen for SILENCE_NS; the registry
    keeps microseconds.
    """
    holds = {}
    for label in {gpu.user_label for _, gpu in seen} - {""}:
        own = [span for span, gpu in seen if gpu.user_label == label]
        holds[label] = (min(span.start_ns for span in own) // 1000, max(span.end_ns for span in own) // 1000)

    def has_ended(attached_us: int, seen_us: int) -> bool:
        followed = any(
            other > attached_us and seen_us <= other <= seen_us + SILENCE_NS // 1000 for other, _ in holds.values()
        )
        return followed or seen_us < (now_ns - SILENCE_NS) // 1000

    return sorted(label for label, hold in holds.items() if not has_ended(*hold))


def _moment(ns: int | None) -> str | None:
    """Return the time as the registry keeps it, in microseconds."""
    return None if ns is None else time_text(ns // 1000 * 1000)
