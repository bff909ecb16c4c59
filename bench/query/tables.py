"""The fleet as tables of ClickHouse for as long as the month is made: what each step of a request is, and the pods."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from clickhouse_connect.driver import Client

from bench.query.fleet import ENVIRONMENTS, GENERATIONS, SERVED, TENANTS, Pod
from bench.query.flows import FLOWS, ROOT_STAGE, Stage, Step

UNREADABLE_EVERY = 9
"""The devices of one pod in so many read zero for everything, as MIG slices do without DCGM."""
MAKE = (
    "CREATE DATABASE IF NOT EXISTS bench_query",
    """
    CREATE OR REPLACE TABLE bench_query.steps
    (
        realm UInt8, flow UInt8, stage Int8, place UInt8, service String, step String, kind String, sort String,
        step_begin Float64, step_end Float64, nested Bool,
        pods_first UInt32, pods_count UInt32, model_service String, model_pods_first UInt32, model_pods_count UInt32
    ) ENGINE = Memory""",
    """
    CREATE OR REPLACE TABLE bench_query.pods
    (
        number UInt32, resource_id FixedString(16), name String, version String, host String, pid Int64, model String,
        card String, max_watts Float64, readable Bool,
        resource_uuids Array(String), physical_uuids Array(String), resource_types Array(String),
        memory_gb Array(Float64)
    ) ENGINE = Memory""",
)


def make(client: Client, fleet: Sequence[Pod]) -> None:
    """Make the tables, and store the pods' attributes where those of spans' resources are."""
    for statement in MAKE:
        client.command(statement)
    client.insert("bench_query.steps", list(step_rows(fleet)), column_names="*")
    client.insert("bench_query.pods", [pod_row(pod) for pod in fleet], column_names="*")
    columns = ["tenant", "resource_id", "attributes_string", "attributes_int", "last_seen"]
    client.insert("resources", [resource_row(pod) for pod in fleet], column_names=columns)


def drop(client: Client) -> None:
    client.command("DROP DATABASE bench_query")


def pod_row(pod: Pod) -> list[Any]:
    card = pod.devices[0].card if pod.devices else None
    return [
        pod.number, pod.resource_id, pod.name, pod.version, pod.node, pod.process_id, pod.model,
        card.name if card else "", card.max_watts if card else 0.0, pod.number % UNREADABLE_EVERY != 0,
        [device.resource_uuid for device in pod.devices], [device.physical_uuid for device in pod.devices],
        [device.resource_type for device in pod.devices], [device.memory_gib for device in pod.devices],
    ]  # fmt: skip


def resource_row(pod: Pod) -> list[Any]:
    texts = {
        "service.name": pod.service,
        "service.version": pod.version,
        "deployment.environment.name": pod.environment,
        "host.name": pod.node,
        "k8s.pod.name": pod.name,
        "k8s.namespace.name": "inference",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2",
    }
    return [pod.tenant, pod.resource_id, texts, {"process.pid": pod.process_id}, datetime.now(UTC)]


def step_rows(fleet: Sequence[Pod]) -> Iterator[list[Any]]:
    """Yield each step in each tenant's each environment, with the pods that do it and those of the stage's model."""
    one_generation = fleet[: len(fleet) // GENERATIONS]
    pools = {
        key: list(pool) for key, pool in groupby(one_generation, lambda pod: (pod.tenant, pod.environment, pod.service))
    }
    for tenant_number, tenant in enumerate(TENANTS, 1):
        for environment_number, environment in enumerate(ENVIRONMENTS, 1):
            for flow, stage, place, step, model_service, nested in steps():
                pool, models = (pools[tenant, environment, service] for service in (step.service, model_service))
                yield [
                    tenant_number * 10 + environment_number, flow, stage, place,
                    step.service, step.name, step.kind, step.sort, step.begin, step.end, nested,
                    pool[0].number, len(pool), model_service, models[0].number, len(models),
                ]  # fmt: skip


def steps() -> Iterator[tuple[int, int, int, Step, str, bool]]:
    """Yield (flow from 1, stage, place in it, step, whose model its span names, whether the stage is nested)."""
    for number, flow in enumerate(FLOWS, 1):
        yield number, ROOT_STAGE, 0, flow.root, flow.root.service, False
        for stage_number, stage in enumerate(flow.stages):
            for place, step in enumerate(stage.steps):
                yield number, stage_number, place, step, served_by(stage, step), stage.nested


def served_by(stage: Stage, step: Step) -> str:
    """Return the service whose model a span names: the one that a client calls, else its own."""
    called = stage.steps[1].service
    return called if step is stage.steps[0] and step.kind == "client" and called in SERVED else step.service
