"""When each recurring task was last done well."""

from typing import Final

from prometheus_client import Gauge

LAST_SUCCESS: Final = Gauge(
    "axonize_task_last_success_timestamp_seconds",
    "When the last run of a recurring task began that ended well, in seconds since 1970; 0 is never.",
    ["task"],
)
REGISTRY_SYNC: Final = "registry_sync"

for _task in ("gpu_time", REGISTRY_SYNC, "rescue", "retention", "summaries"):
    LAST_SUCCESS.labels(_task)


def completed(task: str, *, began_s: float) -> None:
    """Tell that a run of a task ended well; `began_s` is when it began, in seconds since 1970."""
    LAST_SUCCESS.labels(task).set(began_s)
