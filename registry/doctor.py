"""What the doctor looks at in the registry: its copy in ClickHouse, and keys for who comes from elsewhere."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from axonize.clickhouse import client as clickhouse
from axonize.clickhouse.errors import ClickHouseError
from axonize.clickhouse.tables import loaded
from axonize.doctor.finding import Check, Finding, fail, ok, warn
from axonize.exposure import is_loopback
from registry import keys


def dictionary() -> Iterator[Finding]:
    """Load what queries ask for a GPU's card and price, if it is not loaded yet."""
    try:
        [row] = clickhouse.query("SELECT count() AS resources FROM registry")
    except ClickHouseError as error:
        mend = (
            "Run `manage.py migrate_clickhouse` if it is not there; else look at the password in CLICKHOUSE_URL, with "
            f"which it was made, and at what SYSTEM RELOAD DICTIONARY {loaded('registry')} says."
        )
        yield fail(f"The dictionary of the registry can't be read: {error.summary}", mend)
        return
    yield ok(f"Its dictionary in ClickHouse holds {row['resources']} resources.")


def api_keys() -> Iterator[Finding]:
    """Look for a key where one is needed."""
    if is_loopback(settings.BIND) and not settings.REQUIRE_API_KEY:
        yield ok("Programs on this machine need no API key.")
    elif keys.any_usable():
        yield ok("There is an API key that can be used.")
    else:
        mend = "Run `manage.py create_api_key NAME --tenant default --scope ingest --scope read`."
        yield warn("Everybody needs an API key, and there is none that can be used.", mend)


CHECKS: Final[dict[str, Check]] = {"registry": dictionary, "API keys": api_keys}
