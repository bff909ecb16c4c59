"""What is done with the project's own code on a stack's stores, in a process of its own.

`python -m bench.query.inside COMMAND` reads one JSON value from stdin and prints one. `keys`: from tenants' slugs to
their new API keys by slug. `prices`: from USD an hour by model of card to the number of cards that got one. `reads`:
from [target, key] of each question to what it read, [status, queries, rows, bytes].
"""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from typing import Any

import django
import urllib3

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "axonize.settings")
    django.setup()

from django.core.management import call_command
from django.test import Client

from registry.models import PhysicalGPU

KEY_LASTS = "1d"


def keys(tenants: Sequence[str]) -> dict[str, str]:
    """Make an API key for each tenant, which is made too where need be."""
    return {tenant: _key(tenant) for tenant in tenants}


def _key(tenant: str) -> str:
    printed = StringIO()
    scopes = ("--scope", "ingest", "--scope", "read")
    arguments = ("bench-query", "--tenant", tenant, "--create-tenant", *scopes, "--expires", KEY_LASTS)
    call_command("create_api_key", *arguments, stdout=printed, stderr=StringIO())
    return printed.getvalue().strip()


def prices(usd_per_hour: Mapping[str, float]) -> int:
    """Give each card the price of its model; return how many got one."""
    priced = PhysicalGPU.objects.filter(model__in=usd_per_hour)
    for card in priced:
        card.cost_per_hour_usd = usd_per_hour[card.model]
        card.save()
    return len(priced)


def reads(questions: Sequence[tuple[str, str]]) -> list[tuple[int, int, int, int]]:
    """Ask in this process, and tell what ClickHouse says that it read for each answer."""
    recorder = Recorder()
    client = Client(raise_request_exception=False)
    found = []
    for target, key in questions:
        recorder.forget()
        answer = client.get(target, headers={"authorization": f"Bearer {key}", "host": "localhost"})
        found.append((answer.status_code, recorder.queries, recorder.rows, recorder.bytes))
    return found


class Recorder:
    """Adds up the summaries that ClickHouse sends with its answers, of all that comes over HTTP in this process."""

    def __init__(self) -> None:
        self.forget()
        urlopen = urllib3.PoolManager.urlopen

        def recorded(manager: urllib3.PoolManager, *arguments: Any, **more: Any) -> Any:
            answer = urlopen(manager, *arguments, **more)
            self.add(json.loads(answer.headers.get("X-ClickHouse-Summary", "{}")))
            return answer

        urllib3.PoolManager.urlopen = recorded  # type: ignore[method-assign,assignment]  # the one place that all queries pass

    def forget(self) -> None:
        self.queries = self.rows = self.bytes = 0

    def add(self, summary: Mapping[str, str]) -> None:
        self.queries += 1
        self.rows += int(summary.get("read_rows", 0))
        self.bytes += int(summary.get("read_bytes", 0))


COMMANDS: dict[str, Callable[[Any], object]] = {"keys": keys, "prices": prices, "reads": reads}

if __name__ == "__main__":
    json.dump(COMMANDS[sys.argv[1]](json.load(sys.stdin)), sys.stdout)
