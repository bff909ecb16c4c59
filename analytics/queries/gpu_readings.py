"""What did each of these GPUs measure last? Its latest known readings."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Final

from axonize.clickhouse import client as clickhouse

# argMax passes over nulls, so each is the latest that is known, of whatever moment that is.
_LATEST: Final = """
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
WHERE {wanted}
GROUP BY tenant, resource_uuid
"""
_OF_KEYS: Final = _LATEST.replace(
    "{wanted}", "tenant IN {tenants:Array(String)} AND resource_uuid IN {resource_uuids:Array(String)}"
)
# Of tens of thousands: as arrays, which cost a fraction of as many rows.
_SINCE: Final = f"""
SELECT
    groupArray(resource_uuid) AS uuids,
    groupArray(reading_at_ns) AS read_at_ns,
    groupArray(ifNull(utilization_percent, nan)) AS utilizations,
    groupArray(ifNull(used_gb, nan)) AS used,
    groupArray(ifNull(total_gb, nan)) AS totals,
    groupArray(ifNull(power, nan)) AS powers
FROM ({_LATEST.replace("{wanted}", "tenant = {tenant:String}")})
WHERE reading_at_ns >= {{since_ns:Int64}}
"""
_SUMMED: Final = ("memory_used_gb", "memory_total_gb", "power_watts")
_AVERAGED: Final = ("utilization", "temperature_celsius", "clock_mhz")

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
    rows = clickhouse.query(_OF_KEYS, {"tenants": sorted(tenants), "resource_uuids": sorted(uuids)})
    readings = {(row["tenant"], row["resource_uuid"]): _readings(row) for row in rows}
    return {key: latest for key, latest in readings.items() if key in keys}


def combined_since(*, tenant: str, since_ns: int, instances: Mapping[str, Hashable]) -> tuple[int, Readings]:
    """Return how many of `instances`, by resource UUID, have a reading of this time or later, and one made of these.

    It is made as combined() does, without temperature and clock. One query.
    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    (row,) = clickhouse.query(_SINCE, {"tenant": tenant, "since_ns": since_ns})
    wanted = [(at, instances[uuid]) for at, uuid in enumerate(row["uuids"]) if uuid in instances]

    def pairs(column: Sequence[float]) -> Iterator[tuple[Hashable, float | None]]:
        return ((instance, finite(column[at])) for at, instance in wanted)

    measured = [(at, instance) for at, instance in wanted if isfinite(row["used"][at])]
    return len(wanted), Readings(
        reading_at_ns=max((row["read_at_ns"][at] for at, _ in wanted), default=None),
        utilization=_mean(value for _, value in pairs(row["utilizations"])),
        memory_used_gb=_sum(pairs(row["used"])),
        memory_total_gb=_sum((instance, finite(row["totals"][at])) for at, instance in measured),
        power_watts=_sum(pairs(row["powers"])),
    )


def combined(measured: Iterable[tuple[Hashable, Readings]]) -> Readings:
    """Make one of what several resources measure, as the API does of a card's slices (physical_gpu_metrics).

    Memory and power are sums, the rest averages, over those that have a reading; the memory in all is of those that
    tell what is used of it. Each comes with its instance; of those in one, which share its memory and power, the one
    that has most counts.
    """
    found = [
        (instance, each if each.memory_used_gb is not None else replace(each, memory_total_gb=None))
        for instance, each in measured
    ]
    moments = [each.reading_at_ns for _, each in found if each.reading_at_ns is not None]
    sums = {name: _sum((at, getattr(each, name)) for at, each in found) for name in _SUMMED}
    means = {name: _mean(getattr(each, name) for _, each in found) for name in _AVERAGED}
    return Readings(reading_at_ns=max(moments, default=None), **sums, **means)


def finite(reading: float | None) -> float | None:
    """Return None for NaN and infinity, which a sensor does not measure and JSON has no number for."""
    return reading if reading is not None and isfinite(reading) else None


def _sum(values: Iterable[tuple[Hashable, float | None]]) -> float | None:
    most: dict[Hashable, float] = {}
    for instance, value in values:
        if value is not None:
            most[instance] = max(value, most.get(instance, value))
    return sum(most.values()) if most else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _readings(row: Mapping[str, Any]) -> Readings:
    return Readings(
        reading_at_ns=row["reading_at_ns"],
        utilization=finite(row["utilization_percent"]),
        memory_used_gb=finite(row["used_gb"]),
        memory_total_gb=finite(row["total_gb"]),
        temperature_celsius=finite(row["temperature"]),
        power_watts=finite(row["power"]),
        clock_mhz=finite(row["clock"]),
    )
