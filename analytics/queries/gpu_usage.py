"""How was each GPU used in a range? How long it was busy, with what, what it measured, and what that cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analytics.queries.gpu_readings import finite
from analytics.queries.population import Population
from analytics.times import NS_PER_HOUR
from axonize.clickhouse import client as clickhouse
from registry.models import ComputeResource

_COLUMNS: Final = """
start_time, end_time, model_name,
gpus.resource_uuid AS resources, gpus.utilization AS utilizations, gpus.memory_used_gb AS memories_used,
gpus.memory_total_gb AS memories_total, gpus.temperature_celsius AS temperatures, gpus.power_watts AS powers,
gpus.clock_mhz AS clocks"""

# `spans` has a snapshot of zeros as it was sent, which means unknown; docs/conventions.md, and gpu_metrics has it null.
_IS_KNOWN: Final = """
NOT ifNull(utilization = 0 AND memory_used = 0 AND temperature = 0 AND power = 0 AND clock = 0, false)"""

_SQL: Final = """
SELECT
    resource_uuid,
    countIf(is_first_of_span) AS spans,
    toInt64(intervalLengthSum(start_ns, end_ns)) AS busy_ns,
    avgIf(utilization, is_known AND isFinite(utilization)) AS avg_utilization,
    maxIf(utilization, is_known AND isFinite(utilization)) AS max_utilization,
    avgIf(memory_used, is_known AND isFinite(memory_used)) AS avg_memory_used,
    maxIf(memory_used, is_known AND isFinite(memory_used)) AS max_memory_used,
    maxIf(memory_total, isFinite(memory_total)) AS max_memory_total,
    avgIf(power, is_known AND isFinite(power)) AS avg_power,
    maxIf(power, is_known AND isFinite(power)) AS max_power,
    arraySort(groupUniqArrayIf(model_name, model_name != '')) AS models,
    count() OVER () AS total
FROM
(
    SELECT
        resource_uuid, model_name, utilization, memory_used, memory_total, power,
        occurrence = 1 AS is_first_of_span,
        {is_known} AS is_known,
        toUnixTimestamp64Nano(start_time) AS start_ns,
        least(toUnixTimestamp64Nano(end_time), {{end_ns:Int64}}) AS end_ns
    FROM ({spans})
    ARRAY JOIN
        resources AS resource_uuid, utilizations AS utilization, memories_used AS memory_used,
        memories_total AS memory_total, temperatures AS temperature, powers AS power, clocks AS clock,
        arrayEnumerateUniq(resources) AS occurrence
    WHERE resource_uuid != ''
)
GROUP BY resource_uuid
ORDER BY spans DESC, resource_uuid
LIMIT {{limit:UInt64}}
"""

_REGISTRY_COLUMNS: Final = (
    *("uuid", "physical_uuid", "model", "node_id", "type_or_guess"),
    *("memory_total_gb", "cost_per_hour_usd"),
)


@dataclass(frozen=True)
class GpuUsage:
    """A resource in the range: the registry's word on it, and what spans that began in the range tell.

    `busy_ns` is for how long any of them held it before the range ended. Utilization in percent, memory in GiB, power
    in W; None is what nobody knows, of texts "". `cost_usd` is of the time it was busy, at the price that the
    registry has for it.
    """

    resource_uuid: str
    physical_uuid: str
    model: str
    node_id: str
    spans: int
    busy_ns: int
    busy_share: float
    avg_utilization: float | None
    max_utilization: float | None
    avg_memory_used_gb: float | None
    max_memory_used_gb: float | None
    memory_total_gb: float | None
    avg_power_watts: float | None
    max_power_watts: float | None
    models: list[str]
    cost_usd: float | None
    idle_cost_usd: float | None

    @property
    def energy_wh(self) -> float | None:
        """The average power over the time it was busy."""
        return None if self.avg_power_watts is None else self.avg_power_watts * self.busy_ns / NS_PER_HOUR


@dataclass(frozen=True)
class GpuUsages:
    """The resources with the most spans, and how many there are in all."""

    gpus: list[GpuUsage]
    total: int


def gpu_usage(population: Population, *, limit: int) -> GpuUsages:
    """Return at most `limit` of the resources that the spans ran on, by count of spans, then UUID.

    One query and one statement. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    rows = clickhouse.query(
        _SQL.format(spans=population.spans(_COLUMNS), is_known=_IS_KNOWN), {**population.parameters, "limit": limit}
    )
    words = _registered(population.tenant, [row["resource_uuid"] for row in rows])
    range_ns = population.end_ns - population.start_ns
    return GpuUsages(
        gpus=[_usage(row, words.get(row["resource_uuid"], {}), range_ns) for row in rows],
        total=rows[0]["total"] if rows else 0,
    )


def _registered(tenant: str, uuids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    rows = (
        ComputeResource.objects.of_tenant(tenant)
        .described()
        .filter(uuid__in=[uuid for uuid in uuids if "\0" not in uuid])  # which no text in PostgreSQL can have
        .values(*_REGISTRY_COLUMNS)
    )
    return {row["uuid"]: row for row in rows}


def _usage(row: Mapping[str, Any], word: Mapping[str, Any], range_ns: int) -> GpuUsage:
    memory_total_gb = word.get("memory_total_gb") or finite(row["max_memory_total"])
    price = word.get("cost_per_hour_usd")
    return GpuUsage(
        resource_uuid=row["resource_uuid"],
        physical_uuid=word.get("physical_uuid", ""),
        model=word.get("model", ""),
        node_id=word.get("node_id", ""),
        spans=row["spans"],
        busy_ns=row["busy_ns"],
        busy_share=row["busy_ns"] / range_ns,
        avg_utilization=finite(row["avg_utilization"]),
        max_utilization=finite(row["max_utilization"]),
        avg_memory_used_gb=finite(row["avg_memory_used"]),
        max_memory_used_gb=finite(row["max_memory_used"]),
        memory_total_gb=memory_total_gb,
        avg_power_watts=finite(row["avg_power"]),
        max_power_watts=finite(row["max_power"]),
        models=row["models"],
        cost_usd=None if price is None else float(price) * row["busy_ns"] / NS_PER_HOUR,
        idle_cost_usd=None if price is None else float(price) * (range_ns - row["busy_ns"]) / NS_PER_HOUR,
    )
