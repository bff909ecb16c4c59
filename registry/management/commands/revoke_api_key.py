"""`manage.py revoke_api_key`: let nobody in any more by a key."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from registry.management.registry_command import RegistryCommand
from registry.models import ApiKey


class Command(RegistryCommand):
    help = "Revoke an API key, for good. It takes effect within 10 seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="the first part of the key, up to the dot: ax_Xb6QmT2v")

    def handle(self, *_args: Any, prefix: str, **_options: Any) -> None:
        prefix = prefix.partition(".")[0]
        keys = ApiKey.objects.filter(prefix=prefix)
        if keys.revoke():
            self.stdout.write(f"API key {prefix} is revoked; within 10 seconds nobody is let in by it.")
        elif keys.exists():
            self.stdout.write(f"API key {prefix} was revoked before.")
        else:
            raise CommandError(f"There is no API key {prefix}. manage.py list_api_keys shows all.")
