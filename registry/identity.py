"""Who is asking: the tenant that a request acts for, and what it may do there."""

from dataclasses import dataclass

from django.conf import settings

from registry.models.api_key import Scope


@dataclass(frozen=True)
class Identity:
    """For whom a request acts, and what it may do.

    `tenant` is a slug; `key_id` the visible prefix of the key and `key_name` its name, "" for who needs none. A limit
    of None is the server's own, as its settings say; 0 is no limit. `retention_days` are the tenant's own, if any.
    """

    tenant: str
    scopes: frozenset[str]
    key_id: str = ""
    ingest_spans_per_second: int | None = None
    requests_per_minute: int | None = None
    key_name: str = ""
    retention_days: int | None = None

    def may(self, scope: str) -> bool:
        """Tell whether it has the scope. `admin` contains `read`; nothing but `ingest` contains `ingest`."""
        return scope in self.scopes or (scope == Scope.READ and Scope.ADMIN in self.scopes)


def local_identity() -> Identity:
    """Return who connects from this machine where no key is asked for."""
    return Identity(settings.DEFAULT_TENANT, frozenset(Scope.values))


def staff_identity() -> Identity:
    """Return whom a session with staff rights acts for in the API."""
    return Identity(settings.DEFAULT_TENANT, frozenset({Scope.READ.value, Scope.ADMIN.value}))
