"""API keys: what a program shows to send spans to a tenant or to read its data."""

from typing import ClassVar, Final, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from rest_framework_api_key.crypto import KeyGenerator
from rest_framework_api_key.models import AbstractAPIKey, BaseAPIKeyManager

from registry.models.tenant import Tenant

KEY_MARK: Final = "ax_"
_PREFIX_RANDOM_LENGTH: Final = 8
PREFIX_LENGTH: Final = len(KEY_MARK) + _PREFIX_RANDOM_LENGTH
SECRET_LENGTH: Final = 32


class Scope(models.TextChoices):
    """What a key is good for; `admin` lets its holder read too."""

    INGEST = "ingest"
    READ = "read"
    ADMIN = "admin"


class _MarkedKeyGenerator(KeyGenerator):
    """Makes keys that people and secret scanners know at sight: `ax_`, 8 characters, a dot, 32 characters."""

    def get_prefix(self) -> str:
        return KEY_MARK + super().get_prefix()


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Reads and writes of keys that recur."""

    def usable(self) -> Self:
        """Those that are neither revoked nor expired."""
        return self.filter(Q(expiry_date=None) | Q(expiry_date__gt=Now()), revoked=False)

    def revoke(self) -> int:
        """Revoke for good those that aren't yet. Return how many."""
        return self.filter(revoked=False).update(revoked=True)


class ApiKeyManager(BaseAPIKeyManager.from_queryset(ApiKeyQuerySet)):  # type: ignore[misc]  # made at run time
    key_generator = _MarkedKeyGenerator(_PREFIX_RANDOM_LENGTH, SECRET_LENGTH)

    def assign_key(self, obj: AbstractAPIKey) -> str:
        """Give a key that isn't saved yet its prefix and hash; return the key itself, which nothing keeps."""
        # Not the library's way, which makes the hash the primary key: that one stands in the admin's addresses.
        key, obj.prefix, obj.hashed_key = self.key_generator.generate()
        return key

    def get_usable_keys(self) -> ApiKeyQuerySet:
        """Return where `get_from_key` looks."""
        usable: ApiKeyQuerySet = self.get_queryset().usable().select_related("tenant")
        return usable


class ApiKey(AbstractAPIKey):
    """A tenant's key. It is shown once, when it is made; kept are its hash, and its prefix by which people name it.

    Example: `ax_Xb6QmT2v`, named "collector of the vision lab", with the scope `ingest` for the tenant `vision-lab`,
    good until the end of the year, and for 20,000 spans a second.
    """

    id = models.BigAutoField(primary_key=True)  # type: ignore[assignment]  # a text in the library, see assign_key
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="api_keys")
    prefix = models.CharField(max_length=PREFIX_LENGTH, unique=True, editable=False)
    scopes = ArrayField(
        models.CharField(max_length=6, choices=Scope.choices),
        help_text="ingest: send spans. read: ask the API. admin: read, and change the registry.",
    )
    last_used_at = models.DateTimeField("last used", null=True, blank=True, editable=False)
    ingest_spans_per_second = models.PositiveIntegerField(
        null=True, blank=True, help_text="Blank: as the server's settings say. 0: as many as come."
    )
    requests_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Of the REST API. Blank: as the server's settings say. 0: as many as come."
    )

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"
        constraints = (
            models.CheckConstraint(
                condition=Q(scopes__len__gt=0, scopes__contained_by=Scope.values), name="api_key_scopes_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    @property
    def state(self) -> str:
        """`usable`, `expired` or `revoked`."""
        if self.revoked:
            return "revoked"
        return "expired" if self.has_expired else "usable"
