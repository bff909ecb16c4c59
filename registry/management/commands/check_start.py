"""`manage.py check_start`: whether the server may listen where it is told to; `manage.py up` asks it first."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from registry.start import StartRefused, require_safe


class Command(BaseCommand):
    help = "Say whether it is safe to listen on an address: beyond this machine that takes a secret key and an API key."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default=settings.BIND, help="the address (default: %(default)s)")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            require_safe(bind=options["bind"])
        except StartRefused as error:
            raise CommandError(str(error)) from error
