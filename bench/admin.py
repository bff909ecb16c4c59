"""How fast the admin's pages are with 10,000 cards, 40,000 slices and 100,000 contexts: `make bench-admin`.

Prints each page's median time and how many statements it takes, then what a CSV file of all cards takes. The pages are
asked for in this process, so neither the network nor a browser is measured.
"""

import csv
import io
import re
import statistics
import time
from typing import Any

from bench.cards import fill, run

PAGES = {
    "cards": "physicalgpu/",
    "cards, the last page": "physicalgpu/?p={pages}",
    "cards by how many hold them": "physicalgpu/?o=-5",
    "cards, searched by a slice's UUID": "physicalgpu/?q={slice.uuid}",
    "cards, searched by node": "physicalgpu/?q={node.name}",
    "cards of a node": "physicalgpu/?node__id__exact={node.pk}",
    "cards with a label": "physicalgpu/?label=rack%3Db7",
    "a card": "physicalgpu/{card.pk}/change/",
    "resources": "computeresource/",
    "resources, searched by UUID": "computeresource/?q={slice.uuid}",
    "resources, searched by a holder's host": "computeresource/?q=host-77",
    "a resource": "computeresource/{slice.pk}/change/",
    "contexts": "resourcecontext/",
    "contexts, searched by pod": "resourcecontext/?q=pod-777-",
    "nodes": "node/",
}


def measure(*, cards: int, runs: int) -> None:
    from django.contrib.auth.models import User  # noqa: PLC0415  once Django is set up
    from django.core.management import call_command  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from axonize.database import close_connections  # noqa: PLC0415
    from registry.models import ComputeResource, PhysicalGPU  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    call_command("migrate_clickhouse", stdout=io.StringIO())
    fill(cards)
    client = Client()
    client.force_login(User.objects.create_superuser("ops"))
    card = PhysicalGPU.objects.select_related("node").order_by("uuid")[cards // 2]
    known = {
        "card": card,
        "node": card.node,
        "slice": ComputeResource.objects.filter(physical=card).first(),
        "pages": cards // 50,
    }
    print(f"{'page':42} {'median':>10} {'statements':>12}")
    for name, path in PAGES.items():
        took = [ask(client, f"/admin/registry/{path.format(**known)}") for _ in range(runs + 1)][1:]
        print(f"{name:42} {statistics.median(s for s, _ in took) * 1000:>7.0f} ms {took[0][1]:>12}")
    exchange(client)
    close_connections()


def ask(client: Any, path: str) -> tuple[float, int]:
    """Return a page's seconds and its statements."""
    from django.db import connection  # noqa: PLC0415  once Django is set up
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as captured:
        before = time.perf_counter()
        answer = client.get(path)
        seconds = time.perf_counter() - before
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answers {answer.status_code}.")
    return seconds, len(captured)


def exchange(client: Any) -> None:
    """Print what it takes to write all cards to a file, to look at it with a price on each, and to read it in."""
    from django.core.files.uploadedfile import SimpleUploadedFile  # noqa: PLC0415  once Django is set up

    address = "/admin/registry/physicalgpu/"
    before = time.perf_counter()
    text = client.get(f"{address}export/").content.decode()
    print(f"{'export of all cards':42} {time.perf_counter() - before:>8.1f} s {len(text) / 2**20:>8.1f} MiB")
    file = SimpleUploadedFile("cards.csv", priced(text).encode())
    before = time.perf_counter()
    page = client.post(f"{address}import/", {"import_file": file, "format": "0"}).content.decode()
    print(f"{'preview of a price for each':42} {time.perf_counter() - before:>8.1f} s")
    fields = {
        name[1]: value[1]
        for tag in re.findall(r"<input[^>]*>", page)
        if (name := re.search(r'name="([^"]*)"', tag)) and (value := re.search(r'value="([^"]*)"', tag))
    }
    before = time.perf_counter()
    page = client.post(f"{address}process_import/", fields, follow=True).content.decode()
    (told,) = re.findall(r"[\d,]+ added, [^<]*", page)
    print(f"{'import of it':42} {time.perf_counter() - before:>8.1f} s    {told.strip()}")


def priced(text: str) -> str:
    """Return the file with a price for each card."""
    rows = list(csv.DictReader(io.StringIO(text)))
    changed = io.StringIO()
    writer = csv.DictWriter(changed, list(rows[0]))
    writer.writeheader()
    writer.writerows({**row, "cost_per_hour_usd": "2.85"} for row in rows)
    return changed.getvalue()


if __name__ == "__main__":
    run(__doc__, measure)
