"""What ClickHouse saw of GPUs lately: the read side of the registry's synchronisation."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any, Final

from axonize.clickhouse.client import query
from registry.models.physical_gpu import MEMORY_BOUND_GB
from registry.times import to_datetime

TEXT_MAX_LENGTH: Final = 255

# written_at comes from one clock for all rows of an insert, so a page never ends between two of them.
_SQL: Final = """
SELECT
    tenant, resource_uuid, physical_uuid, node_id, user_label, hostname, pod, process_id, model, vendor, resource_type,
    argMaxMerge(memory_total_gb) AS memory_gb,
    toUnixTimestamp64Nano(min(first_seen)) AS first_seen_ns,
    toUnixTimestamp64Nano(max(last_seen)) AS last_seen_ns,
    toUnixTimestamp64Milli(max(written_at)) AS written_at_ms
FROM gpu_sightings
WHERE written_at > fromUnixTimestamp64Milli({written_after_ms:Int64}) AND resource_uuid != ''
GROUP BY
    tenant, resource_uuid, physical_uuid, node_id, user_label, hostname, pod, process_id, model, vendor, resource_type
ORDER BY written_at_ms
LIMIT {limit:UInt32} WITH TIES
"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A resource as some spans described it: on which card, under what label, by whom, and when first and last.

    Texts are "" and numbers None where the spans said nothing. Times are cut to PostgreSQL's microseconds.
    """

    tenant: str
    resource_uuid: str
    physical_uuid: str
    node_id: str
    user_label: str
    hostname: str
    pod: str
    process_id: int | None
    model: str
    vendor: str
    resource_type: str
    memory_total_gb: float | None
    first_seen: datetime
    last_seen: datetime
    written_at_ms: int


def read_sightings(*, written_after_ms: int, limit: int) -> list[Sighting]:
    """Return what was written after a moment (milliseconds since 1970, ClickHouse's clock), in the order of writing.

    At least `limit` of them where there are as many, and all of the last one's millisecond. A UUID that can't be a
    key in PostgreSQL is no UUID: such a resource is left out, such a card is taken as not said.
    Raises ClickHouseUnavailable, QueryTooLarge, ClickHouseError.
    """
    rows = query(_SQL, {"written_after_ms": written_after_ms, "limit": limit}, settings={"max_result_rows": 0})
    return [_sighting(row) for row in rows]


def _sighting(row: dict[str, Any]) -> Sighting:
    memory_gb = row["memory_gb"]
    return Sighting(
        tenant=row["tenant"],
        resource_uuid=_key(row["resource_uuid"]),
        physical_uuid=_key(row["physical_uuid"]),
        node_id=_text(row["node_id"]),
        user_label=_text(row["user_label"]),
        hostname=_text(row["hostname"]),
        pod=_text(row["pod"]),
        process_id=row["process_id"] or None,
        model=_text(row["model"]),
        vendor=_text(row["vendor"]),
        resource_type=_text(row["resource_type"]),
        memory_total_gb=memory_gb if memory_gb and isfinite(memory_gb) and 0 < memory_gb < MEMORY_BOUND_GB else None,
        first_seen=to_datetime(row["first_seen_ns"]),
        last_seen=to_datetime(row["last_seen_ns"]),
        written_at_ms=row["written_at_ms"],
    )


def _key(text: str) -> str:
    return "" if len(text) > TEXT_MAX_LENGTH or "\0" in text else text


def _text(text: str) -> str:
    return text.replace("\0", "")[:TEXT_MAX_LENGTH]
