"""How long ClickHouse takes to answer, by the module that asks: each question is one."""

import inspect
import time
from types import TracebackType
from typing import Final, Self

from prometheus_client import Counter, Histogram

from axonize.clickhouse.errors import ClickHouseUnavailable, QueryTooLarge

QUERY_SECONDS: Final = Histogram(
    "axonize_clickhouse_query_duration_seconds",
    "One read in ClickHouse, by the module that asks; also those that fail.",
    ["module"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)
QUERY_ERRORS: Final = Counter(
    "axonize_clickhouse_query_errors_total",
    "Reads that failed: unavailable, ClickHouse is away or busy; too_large, over a bound; refused, for good.",
    ["kind"],
)
UNAVAILABLE, TOO_LARGE, REFUSED = (QUERY_ERRORS.labels(kind) for kind in ("unavailable", "too_large", "refused"))


def asker() -> str:
    """Return the module that called the function that calls this one."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame and frame.f_back else None
    return str(caller.f_globals.get("__name__", "")) if caller else ""


class Read:
    """Times one read: `with Read(asker()):`."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._began_s = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        QUERY_SECONDS.labels(self._module).observe(time.perf_counter() - self._began_s)
        if isinstance(error, ClickHouseUnavailable):
            UNAVAILABLE.inc()
        elif isinstance(error, QueryTooLarge):
            TOO_LARGE.inc()
        elif error is not None:
            REFUSED.inc()
