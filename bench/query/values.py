"""What questions are about: values that occur in the stored data, drawn by a seed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clickhouse_connect.driver import Client
from clickhouse_connect.driver.query import QueryResult

SAMPLED_SPANS = 400
SAMPLED_TRACES = 400
LIVE_SECONDS, LIVE_TRACES = 20, 100
LARGE_SPANS = 5_000
LONG_CHARACTERS = 200


@dataclass(frozen=True)
class SpanValues:
    """A span, as far as filters speak of it; texts are empty where it has none."""

    trace_id: str
    service_name: str
    environment: str
    name: str
    model_name: str
    resource_uuid: str
    physical_uuid: str
    node_id: str
    attributes: Mapping[str, str]
    """Its attributes that are texts, but for the long ones."""


@dataclass(frozen=True)
class TenantValues:
    """One tenant's data. Traces are ids: of all ages, of the last seconds, and of the largest."""

    key: str
    spans: Sequence[SpanValues]
    traces: Sequence[str]
    live_traces: Sequence[str]
    large_traces: Sequence[str]

    def gpus(self) -> list[SpanValues]:
        """Return the spans that ran on a GPU."""
        return [span for span in self.spans if span.resource_uuid]


def draw(client: Client, keys: Mapping[str, str], *, seed: int) -> dict[str, TenantValues]:
    """Draw values of each tenant; `keys` are their API keys. Raises what clickhouse-connect raises."""
    return {tenant: _of_tenant(client, tenant, key, seed) for tenant, key in keys.items()}


def with_live_traces(client: Client, values: Mapping[str, TenantValues]) -> dict[str, TenantValues]:
    """Return the values with the traces that are the newest by now."""
    return {tenant: replace(own, live_traces=_live_traces(client, tenant)) for tenant, own in values.items()}


def _of_tenant(client: Client, tenant: str, key: str, seed: int) -> TenantValues:
    spans = client.query(
        """
        SELECT
            lower(hex(trace_id)) AS trace_id, service_name, environment, name, model_name,
            gpus.resource_uuid[1] AS resource_uuid,
            JSONExtractString(detail, 'gpus', 1, 'physical_uuid') AS physical_uuid,
            JSONExtractString(detail, 'gpus', 1, 'node_id') AS node_id,
            mapFilter(
                (key, value) -> length(value) < {long:UInt64},
                JSONExtract(detail, 'attributes_string', 'Map(String, String)')) AS attributes
        FROM spans
        WHERE tenant = {tenant:String}
            AND cityHash64({seed:UInt64}, span_id) % (
                SELECT greatest(1, intDiv(count(), {wanted:UInt64})) FROM spans WHERE tenant = {tenant:String}) = 0
        ORDER BY cityHash64({seed:UInt64}, span_id)
        """,
        parameters={"tenant": tenant, "seed": seed, "wanted": SAMPLED_SPANS, "long": LONG_CHARACTERS},
    )
    traces = client.query(
        """
        SELECT lower(hex(trace_id))
        FROM (SELECT DISTINCT trace_id FROM traces WHERE tenant = {tenant:String})
        ORDER BY cityHash64({seed:UInt64}, trace_id)
        LIMIT {wanted:UInt64}
        """,
        parameters={"tenant": tenant, "seed": seed, "wanted": SAMPLED_TRACES},
    )
    large = client.query(
        """
        SELECT lower(hex(trace_id))
        FROM traces
        WHERE tenant = {tenant:String}
        GROUP BY trace_id
        HAVING sum(span_count) >= {large:UInt64}
        ORDER BY trace_id
        """,
        parameters={"tenant": tenant, "large": LARGE_SPANS},
    )
    return TenantValues(
        key=key,
        spans=[SpanValues(**row) for row in spans.named_results()],
        traces=_texts(traces),
        live_traces=_live_traces(client, tenant),
        large_traces=_texts(large),
    )


def _live_traces(client: Client, tenant: str) -> list[str]:
    found = client.query(
        """
        SELECT DISTINCT lower(hex(trace_id))
        FROM spans
        WHERE tenant = {tenant:String} AND start_time > now64(9) - {seconds:UInt32}
        LIMIT {wanted:UInt64}
        """,
        parameters={"tenant": tenant, "seconds": LIVE_SECONDS, "wanted": LIVE_TRACES},
    )
    return _texts(found)


def _texts(found: QueryResult) -> list[str]:
    return [str(row[0]) for row in found.result_rows]
