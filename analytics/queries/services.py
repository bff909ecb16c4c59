"""How did each service do in a range? Its spans, failures, durations and models."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from analytics.queries.costs import gpu_costs
from analytics.queries.population import Population
from analytics.queries.prices import added
from axonize.clickhouse import client as clickhouse


@dataclass(frozen=True)
class Service:
    """A service's spans; durations in nanoseconds, percentiles exact. `cost_usd` is None where nobody knows."""

    service_name: str
    count: int
    errors: int
    avg_ns: float
    p50_ns: float
    p95_ns: float
    p99_ns: float
    models: list[str]
    cost_usd: Decimal | None

    @property
    def error_rate(self) -> float:
        """The share of spans, 0 to 1, that failed."""
        return self.errors / self.count


@dataclass(frozen=True)
class Services:
    """The services with the most spans, and how many there are in all."""

    services: list[Service]
    total: int


def services(population: Population, *, limit: int) -> Services:
    """Return at most `limit` services of the spans, by count, then name. Two queries.

    Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    rows = clickhouse.query(
        f"""
        SELECT
            service_name,
            count() AS spans,
            countIf(status = 'error') AS errors,
            avg(toFloat64(duration_ns)) AS avg_ns,
            quantilesExactInclusive(0.5, 0.95, 0.99)(duration_ns) AS percentiles_ns,
            arraySort(groupUniqArrayIf(model_name, model_name != '')) AS models,
            sum(cost_usd) AS cost,
            count() OVER () AS total
        FROM ({population.spans("service_name, status, duration_ns, model_name, cost_usd")})
        GROUP BY service_name
        ORDER BY spans DESC, service_name
        LIMIT {{limit:UInt64}}
        """,
        {**population.parameters, "limit": limit},
    )
    costs = gpu_costs(population, "service_name") if rows else {}
    return Services(services=[_service(row, costs) for row in rows], total=rows[0]["total"] if rows else 0)


def _service(row: Mapping[str, Any], costs: Mapping[str, Decimal]) -> Service:
    p50_ns, p95_ns, p99_ns = row["percentiles_ns"]
    return Service(
        service_name=row["service_name"],
        count=row["spans"],
        errors=row["errors"],
        avg_ns=row["avg_ns"],
        p50_ns=p50_ns,
        p95_ns=p95_ns,
        p99_ns=p99_ns,
        models=row["models"],
        cost_usd=added(row["cost"], costs.get(row["service_name"])),
    )
