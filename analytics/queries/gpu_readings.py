"""What did each of these GPUs measure last? Its latest known readings."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from axonize.clickhouse import client as clickhouse

# argMax passes over nulls, so each is the latest that is known, of whatever moment that is.
_SQL: Final = """
SELECT
    tenant,
    resource_uuid,
    toUnixTimestamp64Nano(max(reading_at)) AS reading_at_ns,
    argMaxMerge(utilization) AS utilization_percent,
    argMaxMerge(memory_used_gb) AS used_gb,
    argMaxMerge(memory_total_gb) AS total_gb,
    argMaxMerge(temperature_celsius) AS temperature,
    argMaxMerge(power_watts) AS power,
    argMaxMerge(clock_mhz) AS clock
FROM gpu_sightings
WHERE tenant IN {tenants:Array(String)} AND resource_uuid IN {resource_uuids:Array(String)}
GROUP BY tenant, resource_uuid
"""

# A tenant and the UUID of one of its resources.
Key = tuple[str, str]


@dataclass(frozen=True)
class Readings:
    """The latest known of each: utilization in percent, memory in GiB. None where none is known.

    `reading_at_ns` is when the latest of them was taken; a card's size, memory_total_gb, is none of them.
    """

    reading_at_ns: int | None = None
    utilization: float | None = None
    memory_used_gb: float | None = None
    memory_total_gb: float | None = None
    temperature_celsius: float | None = None
    power_watts: float | None = None
    clock_mhz: float | None = None


def latest_readings(*, tenant: str, resource_uuids: Sequence[str]) -> dict[str, Readings]:
    """Return the readings by resource UUID, without those that sent no span. One query.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    readings = latest_readings_of_tenants({(tenant, uuid) for uuid in resource_uuids})
    return {uuid: latest for (_, uuid), latest in readings.items()}


def latest_readings_of_tenants(keys: Collection[Key]) -> dict[Key, Readings]:
    """Return the readings of resources of whatever tenants, without those that sent no span. One query.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    if not keys:
        return {}
    tenants, uuids = ({key[part] for key in keys} for part in (0, 1))
    rows = clickhouse.query(_SQL, {"tenants": sorted(tenants), "resource_uuids": sorted(uuids)})
    return {
        (row["tenant"], row["resource_uuid"]): Readings(
            reading_at_ns=row["reading_at_ns"],
            utilization=finite(row["utilization_percent"]),
            memory_used_gb=finite(row["used_gb"]),
            memory_total_gb=finite(row["total_gb"]),
            temperature_celsius=finite(row["temperature"]),
            power_watts=finite(row["power"]),
            clock_mhz=finite(row["clock"]),
        )
        for row in rows
        if (row["tenant"], row["resource_uuid"]) in keys
    }


def finite(reading: float | None) -> float | None:
    """Return None for NaN and infinity, which a sensor does not measure and JSON has no number for."""
    return reading if reading is not None and isfinite(reading) else None
