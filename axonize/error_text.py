"""What a log may say of an exception: its kind and its place, and its words only where they quote nobody's data."""

import traceback
from typing import Final

import django.db
import psycopg
import redis
from kombu.exceptions import OperationalError as BrokerError

from axonize.clickhouse.errors import ClickHouseError

OUR_PACKAGES: Final = frozenset({"axonize", "ingest", "registry", "analytics"})
# What speaks of connections, files and code. A ValueError or a KeyError quotes the value, PostgreSQL's others a row.
TELLING: Final = (
    OSError,
    redis.RedisError,
    BrokerError,
    django.db.OperationalError,
    django.db.InterfaceError,
    psycopg.OperationalError,
    psycopg.InterfaceError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    NameError,
    RuntimeError,
    TypeError,
)
MOST_FRAMES: Final = 40  # the innermost; an endless recursion has a thousand
MOST_CHARACTERS: Final = 1000
CAUSED: Final = "\n\nThe exception above was the cause of this one:\n\n"


def told(error: BaseException) -> str:
    """Return an exception in one line that quotes no span, no parameter of a query and no row of a database."""
    if isinstance(error, ClickHouseError):
        return error.log_text
    kind = type(error)
    if not (isinstance(error, TELLING) or kind.__module__.partition(".")[0] in OUR_PACKAGES):
        return f"{kind.__qualname__}{_sql_state(error)}"
    words = " ".join(str(error).split())[:MOST_CHARACTERS]
    return f"{kind.__qualname__}: {words}" if words else kind.__qualname__


def stack_trace(error: BaseException) -> str:
    """Return where an exception and its causes came from, the first cause first, each in the words of `told`."""
    chain: list[str] = []
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        frames = "".join(traceback.format_tb(at.__traceback__, limit=-MOST_FRAMES))
        members = at.exceptions if isinstance(at, BaseExceptionGroup) else ()
        inner = "".join(f"\n\nOne of its exceptions:\n\n{stack_trace(member)}" for member in members)
        chain.append(f"Traceback (most recent call last):\n{frames}{told(at)}{inner}")
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)
    return CAUSED.join(reversed(chain))


def _sql_state(error: BaseException) -> str:
    """Return what PostgreSQL calls a refusal: its code (SQLSTATE) and the constraint, which is a name of ours."""
    cause = error.__cause__ if isinstance(error, django.db.Error) else error
    if not isinstance(cause, psycopg.Error) or not cause.sqlstate:
        return ""
    constraint = cause.diag.constraint_name
    return f" {cause.sqlstate}" + (f" ({constraint})" if constraint else "")
