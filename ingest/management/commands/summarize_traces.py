"""`manage.py summarize_traces`: bring the summaries of all traces up to what is stored."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from axonize.clickhouse.errors import ClickHouseError
from ingest.summaries import summarize_all


class Command(BaseCommand):
    help = (
        "Bring the summaries that lists of traces read up to all spans that are stored. Workers do so after each "
        "batch; this is for spans that came another way, such as a restored backup."
    )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        try:
            for share in summarize_all():
                if sys.stdout.isatty():
                    self.stdout.write(f"\r{share:.0%} ", ending="")
                    self.stdout.flush()
        except ClickHouseError as error:
            raise CommandError(f"The summaries are not complete: {error}. Run this again.") from error
        self.stdout.write(self.style.SUCCESS("The summaries of all traces are up to date."))
