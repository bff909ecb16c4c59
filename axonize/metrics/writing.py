"""What a worker counts of the batches that it writes."""

from typing import Final

from prometheus_client import Counter, Histogram

WRITE_SECONDS: Final = Histogram(
    "axonize_batch_write_duration_seconds",
    "Writing one batch into ClickHouse, with what looking for bad spans took.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300),
)
SPANS: Final = Histogram(
    "axonize_batch_spans", "Spans of each batch written.", buckets=(1, 10, 100, 1_000, 5_000, 10_000, 25_000, 50_000)
)
BYTES: Final = Histogram(
    "axonize_batch_bytes",
    "Compressed size of each batch written.",
    buckets=(2**10, 2**13, 2**16, 2**18, 2**20, 2**21, 2**22, 2**23, 2**24, 2**26),
)
WRITTEN: Final = Counter("axonize_batches_written_total", "Batches written.")
RETRIES: Final = Counter(
    "axonize_batch_retries_total",
    "Attempts that failed and come again: transient, a store was away or busy; refused, nobody knows what is wrong.",
    ["kind"],
)
BISECTIONS: Final = Counter(
    "axonize_batch_bisections_total", "Batches that ClickHouse refused and whose bad spans were looked for."
)
DEAD_LETTERS: Final = Counter("axonize_dead_letters_stored_total", "Dead letters stored in PostgreSQL.")
RESCUED: Final = Counter(
    "axonize_batches_rescued_total",
    "Batches that the rescue found: open, left by a receiver; sealed, owned by no task.",
    ["kind"],
)

retries: Final = {kind: RETRIES.labels(kind) for kind in ("transient", "refused")}
rescued: Final = {kind: RESCUED.labels(kind) for kind in ("open", "sealed")}


def written(*, spans: int, size_bytes: int, seconds: float) -> None:
    """Count one batch that is stored."""
    WRITTEN.inc()
    SPANS.observe(spans)
    BYTES.observe(size_bytes)
    WRITE_SECONDS.observe(seconds)
