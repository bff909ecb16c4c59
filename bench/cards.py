"""A registry of thousands of cards on engines of its own, for the benches of the pages that show it."""

import argparse
import os
import tempfile
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from bench.chaos.ports import free_ports

CARDS_A_NODE = 8
SLICES_A_CARD = 4


def run(description: str | None, measure: Callable[..., None]) -> None:
    """Take the command line, and call `measure(cards=…, runs=…)` with Django set up on engines of its own."""
    parser = argparse.ArgumentParser(description=description)
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


def fill(cards: int) -> None:
    """Store a fleet as sightings would leave it: each slice with a holder, and every other with one who left."""
    from django.db import connection  # noqa: PLC0415  once Django is set up
    from django.utils import timezone  # noqa: PLC0415

    from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant  # noqa: PLC0415

    now = timezone.now()
    seen = {"first_seen": now - timedelta(days=30), "last_seen": now}
    tenant, _ = Tenant.objects.get_or_create(slug="default", defaults={"name": "default"})
    nodes = Node.objects.bulk_create(
        Node(tenant=tenant, name=f"node-{number:05}", labels={"rack": f"b{number % 50}"}, **seen)
        for number in range(-(-cards // CARDS_A_NODE))
    )
    stored = PhysicalGPU.objects.bulk_create(
        PhysicalGPU(
            tenant=tenant,
            uuid=f"GPU-{uuid.uuid4()}",
            seen_model="NVIDIA H100 80GB HBM3",
            seen_vendor="NVIDIA",
            seen_node=nodes[number // CARDS_A_NODE],
            labels={"rack": f"b{number // CARDS_A_NODE % 50}"},
            **seen,
        )
        for number in range(cards)
    )
    slices = ComputeResource.objects.bulk_create(
        ComputeResource(
            tenant=tenant,
            uuid=f"MIG-{uuid.uuid4()}",
            seen_physical=card,
            seen_resource_type="mig_1g.20gb",
            **seen,
        )
        for card in stored
        for _ in range(SLICES_A_CARD)
    )
    ResourceContext.objects.bulk_create(
        ResourceContext(
            resource=slice_,
            user_label="cuda:0",
            hostname=f"host-{number // (CARDS_A_NODE * SLICES_A_CARD)}",
            pod=f"pod-{number}-{age}",
            attached_at=now - timedelta(days=age + 1),
            detached_at=now - timedelta(days=age) if age else None,
            ended_by="operator" if age else "",
            last_seen=now,
        )
        for number, slice_ in enumerate(slices)
        for age in range(3 if number % 2 else 2)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
