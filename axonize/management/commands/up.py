"""`manage.py up`: the whole of Axonize on this machine, in one command."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from axonize.embedded import up
from axonize.embedded.datadir import DataDirectoryError
from axonize.embedded.ports import PortTakenError
from axonize.start import StartRefused


class Command(BaseCommand):
    help = (
        "Start Redis, PostgreSQL and ClickHouse (each unless REDIS_URL, DATABASE_URL or CLICKHOUSE_URL names another), "
        "migrate, start the receiver, worker, beat and web server, and keep all of it running until Ctrl-C."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--engines-only",
            action="store_true",
            help="start the embedded servers only, migrated, to run the parts that you work on by hand beside them",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            sys.exit(up.run(engines_only=options["engines_only"]))
        except (DataDirectoryError, PortTakenError, StartRefused) as error:
            raise CommandError(str(error)) from error
