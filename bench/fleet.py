"""How fast the pages of the GPUs are with 10,000 cards, 40,000 slices and 100,000 contexts: `make bench-fleet`.

The registry is bench.admin's, and ClickHouse has a latest reading and an hour of held time of each slice. Prints the
median time of each page and part, how many statements and how many queries it takes. They are asked for in this
process, so neither the network nor a browser is measured.
"""

import argparse
import io
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from bench.admin import SLICES_A_CARD, fill
from bench.chaos.ports import free_ports

PAGES = {
    "the fleet's frame": "/gpus",
    "its numbers": "/fleet/numbers",
    "its list": "/fleet/list",
    "its list, the last page": "/fleet/list?offset={last}",
    "its numbers, of a node": "/fleet/numbers?node_id={node}",
    "its list, of a node": "/fleet/list?node_id={node}",
    "its list, of a type": "/fleet/list?resource_type=mig_1g.20gb",
    "its list, the idle ones": "/fleet/list?idle=true",
    "its list, searched by a slice's UUID": "/fleet/list?q={slice}",
    "its list, searched by a holder's host": "/fleet/list?q=host-77",
    "a slice's frame": "/gpus/{slice}",
    "its readings": "/gpu/numbers/{slice}",
    "its holders": "/gpu/holders/{slice}",
    "its bill": "/gpu/bill/{slice}",
    "its models": "/gpu/models/{slice}",
    "its slowest requests": "/gpu/slowest/{slice}",
    "its siblings": "/gpu/siblings/{slice}",
    "a card's frame": "/physical-gpus/{card}",
    "its readings ": "/card/numbers/{card}",
    "its bill ": "/card/bill/{card}",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="axonize-") as folder:
        Path(folder).chmod(0o711)  # run by root, PostgreSQL becomes another user
        port = free_ports()["AXONIZE_CLICKHOUSE_PORT"]
        os.environ |= {
            "AXONIZE_DATA_DIR": folder,
            "AXONIZE_CLICKHOUSE_PORT": str(port),
            "ALLOWED_HOSTS": "testserver",
            "AXONIZE_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "axonize.settings",
        }
        import django  # noqa: PLC0415  the settings read the environment

        from axonize.embedded import engines  # noqa: PLC0415

        django.setup()
        with engines.running(Path(folder), port):
            measure(cards=options.cards, runs=options.runs)


def measure(*, cards: int, runs: int) -> None:
    from django.core.management import call_command  # noqa: PLC0415  once Django is set up
    from django.test import Client  # noqa: PLC0415

    from axonize.database import close_connections  # noqa: PLC0415
    from registry.models import ComputeResource, PhysicalGPU  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    call_command("migrate_clickhouse", stdout=io.StringIO())
    fill(cards)
    PhysicalGPU.objects.update(cost_per_hour_usd="2.85", set_memory_total_gb=80)
    fill_clickhouse()
    card = PhysicalGPU.objects.select_related("node").order_by("uuid")[cards // 2]
    slice_ = ComputeResource.objects.filter(physical=card).first()
    if card.node is None or slice_ is None:
        raise RuntimeError("The registry is not filled.")
    known = {"card": card.uuid, "node": card.node.name, "slice": slice_.uuid, "last": cards - 8}
    print(f"{cards:,} cards, {cards * SLICES_A_CARD:,} slices")
    print(f"{'page':42} {'median':>10} {'statements':>12} {'queries':>9} {'KiB':>7}")
    for name, path in PAGES.items():
        took = [ask(Client(), path.format(**known)) for _ in range(runs + 1)][1:]
        seconds = statistics.median(each[0] for each in took)
        _, statements, queries, size = took[0]
        print(f"{name:42} {seconds * 1000:>7.0f} ms {statements:>12} {queries:>9} {size / 1024:>7.0f}")
    close_connections()


def fill_clickhouse() -> None:
    """Store a reading of each slice of just now, and that it was held half of each minute of the last hour."""
    from axonize.clickhouse.client import command, insert_rows  # noqa: PLC0415  once Django is set up
    from registry.models import ComputeResource  # noqa: PLC0415

    uuids = list(ComputeResource.objects.values_list("uuid", flat=True))
    command("CREATE TABLE bench_slices (uuid String, facet UInt64) ENGINE = Memory")
    insert_rows("bench_slices", [[uuid, number] for number, uuid in enumerate(uuids)], ["uuid", "facet"])
    readings = ("utilization", "memory_used_gb", "memory_total_gb", "temperature_celsius", "power_watts", "clock_mhz")
    states = ", ".join(f"argMaxState(toNullable(toFloat64(facet % 90 + 5)), now64(9)) AS {name}" for name in readings)
    command(
        f"""
        INSERT INTO gpu_sightings
            (tenant, resource_uuid, user_label, hostname, pod, first_seen, last_seen, written_at, reading_at,
            {", ".join(readings)})
        SELECT 'default', uuid, 'cuda:0', concat('host-', toString(intDiv(facet, 32))), concat('pod-', toString(facet)),
            now64(9) - INTERVAL 30 DAY, now64(9), now64(3), now64(9), {states}
        FROM bench_slices GROUP BY uuid, facet
        """  # noqa: S608  constants
    )
    command(
        """
        INSERT INTO span_facets
            (tenant, facet, service_name, environment, name, model_name, resource_uuids, last_seen)
        SELECT 'default', facet, 'vllm', 'production', 'chat', concat('model-', toString(facet % 7)), [uuid],
            now()
        FROM bench_slices
        """
    )
    command(
        """
        INSERT INTO gpu_time (tenant, minute, resource_uuid, facet, held_ns, held_without_cost_ns, version)
        SELECT 'default', intDiv(toUnixTimestamp(now()), 60) - minute, uuid, facet, 3e10, 3e10, 1
        FROM bench_slices
        ARRAY JOIN range(60) AS minute
        """
    )


def ask(client: Any, path: str) -> tuple[float, int, int, int]:
    """Return a page's seconds, statements, queries and bytes."""
    from django.db import connection  # noqa: PLC0415  once Django is set up
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    from axonize.clickhouse.client import get_client  # noqa: PLC0415

    clickhouse = get_client()
    with (
        CaptureQueriesContext(connection) as captured,
        mock.patch.object(clickhouse, "query", side_effect=clickhouse.query) as asked,
    ):
        before = time.perf_counter()
        answer = client.get(path)
        seconds = time.perf_counter() - before
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answers {answer.status_code}.")
    return seconds, len(captured), asked.call_count, len(answer.content)


if __name__ == "__main__":
    main()
