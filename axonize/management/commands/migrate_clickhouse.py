"""`manage.py migrate_clickhouse`: bring ClickHouse to the schema of this version."""

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from axonize.clickhouse import migrator
from axonize.clickhouse.cluster import UnknownStatement
from axonize.clickhouse.cluster_checks import ClusterMisconfigured
from axonize.clickhouse.errors import ClickHouseError

_REFUSALS: Final = (
    ClickHouseError,
    ClusterMisconfigured,
    UnknownStatement,
    migrator.MutationFailed,
    migrator.SchemaChanged,
)


class Command(BaseCommand):
    help = "Apply the ClickHouse schema: each file of axonize/clickhouse/schema once, in order."

    def add_arguments(self, parser: ArgumentParser) -> None:
        group = parser.add_mutually_exclusive_group()
        group.add_argument("--plan", action="store_true", help="print the statements that would run, and run none")
        group.add_argument("--check", action="store_true", help="exit with 1 when a migration is pending, and run none")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            if options["plan"]:
                for migration, statements in migrator.plan():
                    for statement in statements:
                        self.stdout.write(f"-- {migration.name}, in {statement.database}\n{statement.sql}")
            elif options["check"]:
                names = [migration.name for migration in migrator.pending()]
                if names:
                    raise CommandError(f"Pending: {', '.join(names)}. Run manage.py migrate_clickhouse.")
                self.stdout.write("ClickHouse has the schema of this version.")
            else:
                applied = 0
                for migration in migrator.migrate():
                    self.stdout.write(f"Applied {migration.name}")
                    applied += 1
                if not applied:
                    self.stdout.write("ClickHouse has the schema of this version.")
        except _REFUSALS as error:
            raise CommandError(str(error)) from error
