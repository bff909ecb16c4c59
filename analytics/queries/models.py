"""How did each model do in a range? Its spans, failures, durations, tokens, times to the first token, and costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from analytics.queries.costs import gpu_costs
from analytics.queries.gpu_readings import finite
from analytics.queries.population import Population
from analytics.queries.prices import added
from axonize.clickhouse import client as clickhouse


@dataclass(frozen=True)
class Model:
    """A model's spans; durations in nanoseconds, percentiles exact. None is what no span told."""

    model_name: str
    count: int
    errors: int
    avg_ns: float
    p50_ns: float
    p95_ns: float
    p99_ns: float
    tokens_input: int
    tokens_output: int
    avg_ttft_ms: float | None
    p50_ttft_ms: float | None
    p95_ttft_ms: float | None
    p99_ttft_ms: float | None
    tokens_per_second: float | None
    cost_usd: Decimal | None

    @property
    def error_rate(self) -> float:
        """The share of spans, 0 to 1, that failed."""
        return self.errors / self.count


@dataclass(frozen=True)
class Models:
    """The models with the most spans, and how many there are in all."""

    models: list[Model]
    total: int


def models(population: Population, *, limit: int) -> Models:
    """Return at most `limit` models of the spans, by count, then name; tokens a second are the spans' mean.

    Two queries. Raises QueryTooLarge, ClickHouseUnavailable, ClickHouseError.
    """
    columns = (
        "model_name, status, duration_ns, tokens_input, tokens_output, ttft_ms, tokens_per_second AS speed, cost_usd"
    )
    rows = clickhouse.query(
        f"""
        SELECT
            model_name,
            count() AS spans,
            countIf(status = 'error') AS errors,
            avg(toFloat64(duration_ns)) AS avg_ns,
            quantilesExactInclusive(0.5, 0.95, 0.99)(duration_ns) AS percentiles_ns,
            ifNull(sum(tokens_input), 0) AS input,
            ifNull(sum(tokens_output), 0) AS output,
            avgIf(ttft_ms, isFinite(ttft_ms)) AS avg_ttft_ms,
            quantilesExactInclusiveIf(0.5, 0.95, 0.99)(ttft_ms, isFinite(ttft_ms)) AS percentiles_ttft_ms,
            avgIf(speed, isFinite(speed)) AS tokens_per_second,
            sum(cost_usd) AS cost,
            count() OVER () AS total
        FROM ({population.spans(columns, having="model_name != ''")})
        GROUP BY model_name
        ORDER BY spans DESC, model_name
        LIMIT {{limit:UInt64}}
        """,
        {**population.parameters, "limit": limit},
    )
    costs = gpu_costs(population, "model_name") if rows else {}
    return Models(models=[_model(row, costs) for row in rows], total=rows[0]["total"] if rows else 0)


def _model(row: Mapping[str, Any], costs: Mapping[str, Decimal]) -> Model:
    p50_ns, p95_ns, p99_ns = row["percentiles_ns"]
    p50_ttft_ms, p95_ttft_ms, p99_ttft_ms = (finite(percentile) for percentile in row["percentiles_ttft_ms"])
    return Model(
        model_name=row["model_name"],
        count=row["spans"],
        errors=row["errors"],
        avg_ns=row["avg_ns"],
        p50_ns=p50_ns,
        p95_ns=p95_ns,
        p99_ns=p99_ns,
        tokens_input=row["input"],
        tokens_output=row["output"],
        avg_ttft_ms=finite(row["avg_ttft_ms"]),
        p50_ttft_ms=p50_ttft_ms,
        p95_ttft_ms=p95_ttft_ms,
        p99_ttft_ms=p99_ttft_ms,
        tokens_per_second=finite(row["tokens_per_second"]),
        cost_usd=added(row["cost"], costs.get(row["model_name"])),
    )
