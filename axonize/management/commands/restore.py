"""`manage.py restore DIR`: what `manage.py backup` wrote, into databases that nobody has used."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import psycopg
import redis
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from axonize.backup.errors import BackupError
from axonize.backup.run import restore
from axonize.clickhouse.cluster_checks import ClusterMisconfigured
from axonize.clickhouse.errors import ClickHouseError
from axonize.clickhouse.migrator import MutationFailed, SchemaChanged


class Command(BaseCommand):
    help = "Restore a backup into the databases that DATABASE_URL and CLICKHOUSE_URL name, which must be unused."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR", help="what `manage.py backup` made")

    def handle(self, *_args: Any, directory: Path, **_options: Any) -> None:
        began = time.monotonic()
        try:
            found = restore(directory, self.stderr.write)
        except (BackupError, SchemaChanged, MutationFailed, ClusterMisconfigured) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{error.filename or directory} can't be read: {error.strerror}.") from error
        except (ClickHouseError, DatabaseError, psycopg.Error, redis.RedisError) as error:
            raise CommandError(f"The backup is not restored, for a store failed: {error}") from error
        took = time.monotonic() - began
        self.stdout.write(
            f"Restored as of {found.taken_at}: {sum(found.tables.values()):,} rows and {len(found.tenants)} tenants, "
            f"{found.size_bytes / 1e6:,.1f} MB in {took:.0f} s. "
            "Run apply_retention, then start receiver, worker, beat and web."
        )
