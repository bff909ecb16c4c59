"""`manage.py health`: whether a part of this machine, or of this container, is well."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from axonize.health import command


class Command(BaseCommand):
    help = "Say in one line whether the receiver, the worker, beat or the web process here is well; exit 1 if not."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        command.add_arguments(parser)

    def handle(self, *_args: Any, part: str, live: bool, **_options: Any) -> None:
        verdict = command.ask(part, live=live)
        self.stdout.write(verdict.why)
        if not verdict.well:
            sys.exit(1)
