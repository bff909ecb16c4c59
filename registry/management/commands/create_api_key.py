"""`manage.py create_api_key`: make an API key and print it, the one time that it can be seen."""

import argparse
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from registry.management.registry_command import RegistryCommand
from registry.models import ApiKey, Tenant
from registry.models.api_key import Scope

_UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1)}


def moment(text: str) -> datetime:
    """Return when a key ends that is good for `90d` or `12h`, or to the end of the day `2027-01-31`, UTC."""
    now = datetime.now(UTC)
    try:
        if match := re.fullmatch(r"(\d+)([dh])", text, re.ASCII):
            ends = now + int(match[1]) * _UNITS[match[2]]
        else:
            ends = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time like 90d or 12h, nor a day like 2027-01-31"
        ) from error
    if ends <= now:
        raise argparse.ArgumentTypeError(f"{text!r} is over already: give a time to come")
    return ends


class Command(RegistryCommand):
    help = "Make an API key for a tenant. The key alone goes to stdout; it is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what it is for, to tell it from others: 'collector of rack 3'")
        parser.add_argument(
            "--tenant",
            metavar="SLUG",
            default=settings.DEFAULT_TENANT,
            help="whose data it writes or reads (default: %(default)s)",
        )
        parser.add_argument(
            "--scope",
            dest="scopes",
            action="append",
            choices=Scope.values,
            required=True,
            help="what it is good for, once for each: ingest sends spans, read asks the API, admin reads and changes",
        )
        parser.add_argument(
            "--expires",
            type=moment,
            metavar="TIME",
            help="90d, 12h, or the last day on which it is good, 2027-01-31 (default: never)",
        )
        parser.add_argument("--create-tenant", action="store_true", help="make the tenant, where there is none yet")

    @transaction.atomic
    def handle(self, *_args: Any, **options: Any) -> None:
        tenant = self.tenant(options["tenant"], create=options["create_tenant"])
        scopes = [scope for scope in Scope.values if scope in options["scopes"]]
        key = ApiKey(name=options["name"], tenant=tenant, scopes=scopes, expiry_date=options["expires"])
        text = ApiKey.objects.assign_key(key)
        try:
            key.full_clean()
        except ValidationError as error:
            raise CommandError(f"This key can't be made: {' '.join(error.messages)}") from error
        key.save()
        expires = f"until {key.expiry_date:%Y-%m-%d %H:%M} UTC" if key.expiry_date else "for good"
        self.stderr.write(
            f"API key {key.prefix} of the tenant {tenant.slug}, for {' and '.join(scopes)}, {expires}. "
            "Keep it well: it is not shown again.",
            self.style.SUCCESS,
        )
        self.stdout.write(text)

    def tenant(self, slug: str, *, create: bool) -> Tenant:
        """Return the tenant, made if need be and wished. Raises CommandError."""
        found = Tenant.objects.filter(slug=slug).first()
        if found is not None:
            return found
        if not create:
            known = ", ".join(Tenant.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(
                f"There is no tenant {slug!r}. There are: {known}. Name one of them, or add --create-tenant."
            )
        made = Tenant(slug=slug, name=slug)
        try:
            made.full_clean()
        except ValidationError as error:
            raise CommandError(f"{slug!r} can't be a tenant's slug: {' '.join(error.messages)}") from error
        made.save()
        return made
