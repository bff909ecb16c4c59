"""Where PostgreSQL, Redis and ClickHouse are. Their passwords may come apart from the URLs, which more people see."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

import dj_database_url

from axonize.environment import Environment, url
from axonize.patience import bounded


@dataclass(frozen=True)
class Store:
    """A store and the variables that name it."""

    engine: str
    prefix: str
    schemes: tuple[str, ...]
    """Of its URLs."""

    @property
    def url(self) -> str:
        return f"{self.prefix}_URL"

    @property
    def password(self) -> str:
        return f"{self.prefix}_PASSWORD"


POSTGRESQL: Final = Store("PostgreSQL", "DATABASE", ("postgresql", "postgres"))
REDIS: Final = Store("Redis", "REDIS", ("redis", "rediss", "unix"))
CLICKHOUSE: Final = Store("ClickHouse", "CLICKHOUSE", ("http", "https"))
STORES: Final = (POSTGRESQL, REDIS, CLICKHOUSE)
STORE_VARIABLES: Final = frozenset(
    f"{variable}{file}" for store in STORES for variable in (store.url, store.password) for file in ("", "_FILE")
)


def store_url(env: Environment, store: Store, *, embedded: str) -> str:
    """Return where a store is, its password in the URL; `embedded` is the URL of what `manage.py up` starts.

    The embedded one asks for no password, and Redis refuses one that it did not ask for.
    """
    password = env.secret(store.password, "")
    named = env.secret(store.url, "", validate=url(*store.schemes), shown=f"the embedded {store.engine}")
    return with_password(named, password) or embedded


def with_password(url: str, password: str) -> str:
    """Return a URL with the password in it, whatever characters it has, unless the URL is empty or has one already."""
    if not (url and password) or password_of(url):
        return url
    parts = urlsplit(url)
    login, _, host = parts.netloc.rpartition("@")
    user = login.partition(":")[0]
    return parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}").geturl()


def password_of(url: str) -> str:
    """Return the password that a URL names, before the host or as a parameter; an empty text where it names none."""
    parts = urlsplit(url)
    return unquote(parts.password or "") or parse_qs(parts.query).get("password", [""])[0]


def database(url: str, *, pool_size: int, statement_seconds: int) -> dict[str, Any]:
    """Return Django's settings of a PostgreSQL.

    Each statement is bounded in time, as each read in ClickHouse is; the migrate command lifts it for itself.
    """
    parsed = dj_database_url.parse(url)
    options = parsed.get("OPTIONS", {})
    return {
        **parsed,
        "HOST": options.pop("host", "") or parsed["HOST"],  # as a parameter it may be a path, with any characters
        "CONN_MAX_AGE": 0,  # psycopg's pool keeps the connections, Django must not
        "OPTIONS": {
            "options": f"-c statement_timeout={statement_seconds}s",
            "connect_timeout": 5,
            **options,
            "pool": {
                "min_size": 1,
                "max_size": pool_size,
                "timeout": 5,
                "connection_class": bounded(statement_seconds),
            },
        },
    }
