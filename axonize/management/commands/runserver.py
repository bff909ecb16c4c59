"""`manage.py runserver`, refusing to listen beyond this machine without what protects it there."""

from typing import Any

from django.core.management.base import CommandError
from whitenoise.runserver_nostatic.management.commands import runserver

from axonize.start import StartRefused
from registry.start import require_safe


class Command(runserver.Command):  # type: ignore[misc]  # the same
    def run(self, **options: Any) -> None:
        try:
            require_safe(bind=self.addr)
        except StartRefused as error:
            raise CommandError(str(error)) from error
        super().run(**options)
