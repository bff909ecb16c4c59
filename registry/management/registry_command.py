"""What the registry's commands share: PostgreSQL that can't be used is one sentence, not a stack trace."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, ProgrammingError


class RegistryCommand(BaseCommand):
    """A command on PostgreSQL, and on nothing else."""

    requires_system_checks = ()

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except (OperationalError, InterfaceError) as error:
            raise CommandError(
                f"PostgreSQL does not answer. Start the server, or name another one by DATABASE_URL. ({error})"
            ) from error
        except ProgrammingError as error:
            raise CommandError(
                f"PostgreSQL does not have the tables of this version. Run manage.py migrate. ({error})"
            ) from error
