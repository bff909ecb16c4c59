"""`manage.py list_api_keys`: which API keys there are; never the keys themselves."""

from typing import Any

from django.core.management.base import CommandParser

from registry.management.registry_command import RegistryCommand
from registry.models import ApiKey


class Command(RegistryCommand):
    help = "List the API keys, newest first: prefix, tenant, scopes, state, end, last use, name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="only those of this tenant")

    def handle(self, *_args: Any, tenant: str | None, **_options: Any) -> None:
        keys = ApiKey.objects.select_related("tenant")
        if tenant is not None:
            keys = keys.filter(tenant__slug=tenant)
        rows = [("PREFIX", "TENANT", "SCOPES", "STATE", "EXPIRES", "LAST USED", "NAME"), *map(_row, keys)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())


def _row(key: ApiKey) -> tuple[str, ...]:
    expires = f"{key.expiry_date:%Y-%m-%d %H:%M}" if key.expiry_date else "never"
    used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
    return (key.prefix, key.tenant.slug, ",".join(key.scopes), key.state, expires, used, key.name)
