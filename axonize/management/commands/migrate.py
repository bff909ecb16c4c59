"""`manage.py migrate`, whose statements may take as long as they need: an index of a large table outlasts any page."""

from typing import Any

from django.core.management.commands.migrate import Command as MigrateCommand
from django.db import connections

from axonize.database import close_connections


class Command(MigrateCommand):
    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        connection.connection.patience_seconds = None
        try:
            super().handle(*args, **options)
        finally:
            close_connections()  # that session is for migrations alone
