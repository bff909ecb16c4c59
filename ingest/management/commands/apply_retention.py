"""`manage.py apply_retention`: have the stores keep what the settings and the tenants say, now."""

from argparse import ArgumentParser
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from axonize.clickhouse.errors import ClickHouseError
from ingest import retention
from ingest.queue import connect


class Command(BaseCommand):
    help = (
        "Have ClickHouse and PostgreSQL keep their rows for as long as the settings and the tenants say, and delete "
        "what is older. Beat does so each hour; this does it at once, or shows what it would do."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--plan", action="store_true", help="print what would be changed and deleted, and do nothing"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            plan = retention.plan()
            self._tell(plan)
            if options["plan"]:
                return
            retention.apply()
            retention.remember_success(connect())
        except (ClickHouseError, DatabaseError, redis.RedisError) as error:
            raise CommandError(f"Not all is applied: {error} Run this again.") from error
        self.stdout.write("Applied. What whole tables keep no longer goes in the background.")

    def _tell(self, plan: retention.Plan) -> None:
        for change in plan.changes:
            self.stdout.write(
                f"{change.table} drops rows after {change.days_now} days and is to after {change.days}: "
                f"{change.rows:,} rows are older."
            )
        for rows in plan.expired:
            where = f" of {rows.partition_id}" if rows.partition_id else ""
            self.stdout.write(f"{rows.table}{where}: {rows.rows:,} rows of {', '.join(rows.tenants)} are too old.")
        if plan.dead_letters:
            self.stdout.write(
                f"dead letters: {plan.dead_letters:,} are older than {settings.DEAD_LETTER_RETENTION_DAYS} days."
            )
        if not (plan.changes or plan.expired or plan.dead_letters):
            self.stdout.write("Nothing to do: everything is kept as the settings and the tenants say.")
