"""`manage.py backup DIR`: both databases as of one moment, as files."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from axonize.backup.errors import BackupError
from axonize.backup.run import backup
from axonize.clickhouse.cluster_checks import ClusterMisconfigured
from axonize.clickhouse.errors import ClickHouseError
from axonize.clickhouse.migrator import SchemaChanged
from ingest.pause import WritingGoesOn


class Command(BaseCommand):
    help = "Write PostgreSQL and ClickHouse, both as of one moment, into a directory, while everything runs."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR", help="is made; must be empty")

    def handle(self, *_args: Any, directory: Path, **_options: Any) -> None:
        began = time.monotonic()
        try:
            made = backup(directory, self.stderr.write)
        except (BackupError, WritingGoesOn, SchemaChanged, ClusterMisconfigured) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or directory} can't be written: {error.strerror}.") from error
        except (ClickHouseError, DatabaseError, psycopg.Error, redis.RedisError) as error:
            raise CommandError(f"{directory} is no backup, for a store failed: {error}") from error
        took = time.monotonic() - began
        self.stdout.write(
            f"{directory} has {sum(made.tables.values()):,} rows and {len(made.tenants)} tenants, "
            f"{made.size_bytes / 1e6:,.1f} MB in {took:.0f} s."
        )
