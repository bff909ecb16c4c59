"""`manage.py dead_letters`: see what could not be stored, try it again, or give it up."""

import json
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.db.models import QuerySet

from ingest import dead_letters
from ingest.models import DeadLetter
from ingest.replay import replay

ROW = "{:>8}  {:<20}  {:>6}  {:<20}  {}"


class Command(BaseCommand):
    help = "Dead letters: acknowledged spans that ClickHouse refuses for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listing = actions.add_parser("list", help="show which there are, the newest first")
        listing.add_argument(
            "--format", choices=["text", "json"], default="text", help="text, or one JSON object a line"
        )
        show = actions.add_parser("show", help="show the spans, or the bytes where they can't be decoded")
        show.add_argument(
            "--raw", action="store_true", help="write the bytes as they are, protobuf, of a single letter"
        )
        actions.add_parser("replay", help="offer them to the queue again; what it takes is no dead letter any more")
        purge = actions.add_parser("purge", help="delete them, and the spans with them")
        purge.add_argument("--yes", action="store_true", help="delete all, where no id and no filter is given")
        for action in actions.choices.values():
            action.add_argument("ids", nargs="*", type=int, help="ids, as list shows them; all unless given")
            action.add_argument("--tenant", default="", help="only this tenant's")
            action.add_argument("--reason", default="", help="only those whose error or reason contains this")
            action.add_argument("--since", type=utc_time, help="only those found at this time (ISO 8601, UTC) or later")

    def handle(self, *_args: Any, action: str, **options: Any) -> None:
        filters = {name: options[name] for name in ("ids", "tenant", "reason", "since")}
        letters = dead_letters.found(**filters)
        try:
            match action:
                case "list":
                    self._list(letters, as_json=options["format"] == "json")
                case "show":
                    self._show(letters, raw=options["raw"])
                case "replay":
                    self._replay(letters)
                case "purge":
                    if not any(filters.values()) and not options["yes"]:
                        raise CommandError("This deletes all dead letters. Say which, or --yes.")
                    count, _ = letters.delete()
                    self.stdout.write(f"{count} deleted.")
        except DatabaseError as error:
            raise CommandError(f"PostgreSQL does not answer as it should: {error}") from error

    def _list(self, letters: QuerySet[DeadLetter], *, as_json: bool) -> None:
        if not as_json:
            self.stdout.write(ROW.format("id", "found", "spans", "tenant", "reason"))
        for letter in letters.iterator():
            found = letter.failed_at.astimezone(UTC)
            if as_json:
                self.stdout.write(
                    json.dumps({
                        "id": letter.pk, "failed_at": found.isoformat(), "tenant": letter.tenant, "error": letter.error,
                        "reason": letter.reason, "spans": letter.spans, "size_bytes": letter.size_bytes,
                        "batch_id": letter.batch_id,
                    })
                )  # fmt: skip
            else:
                row = (letter.pk, f"{found:%Y-%m-%d %H:%M:%S}", letter.spans, letter.tenant, letter.reason)
                self.stdout.write(ROW.format(*row))

    def _show(self, letters: QuerySet[DeadLetter], *, raw: bool) -> None:
        if raw:
            chosen = list(letters.defer(None)[:2])
            if len(chosen) != 1:
                raise CommandError("Name one dead letter by its id to have its bytes.")
            sys.stdout.buffer.write(bytes(chosen[0].body))
            return
        for letter in letters.defer(None).iterator(chunk_size=1):
            self.stdout.write(f"# {letter.pk}, of batch {letter}, tenant {letter.tenant or 'unknown'}: {letter.reason}")
            self.stdout.write(dead_letters.decoded(letter))

    def _replay(self, letters: QuerySet[DeadLetter]) -> None:
        taken = left = 0
        for outcome in replay(list(letters.order_by("pk").values_list("pk", flat=True))):
            if outcome.refusal:
                left += 1
                self.stderr.write(f"{outcome.letter_id} stays: {outcome.refusal}")
            else:
                taken += 1
        self.stdout.write(f"{taken} taken by the queue, {left} left.")


def utc_time(text: str) -> datetime:
    """Return an ISO 8601 time, UTC where it names no zone. Raises ValueError."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
