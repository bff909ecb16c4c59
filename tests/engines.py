"""A pytest plugin, loaded by ``-p tests.engines``: the tests' own data directory and ports, and the engines on demand.

It is imported before Django's settings are, which read the environment once. The engines start when the first test
asks for them, so a run of unit tests starts nothing.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from axonize.embedded import engines as embedded
from axonize.stores import STORE_VARIABLES

PORT_SETTINGS = (
    "AXONIZE_CLICKHOUSE_PORT",
    "AXONIZE_OTLP_GRPC_PORT",
    "AXONIZE_OTLP_HTTP_PORT",
    "AXONIZE_WEB_PORT",
)


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [listener.getsockname()[1] for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def ports_of_a_stack() -> dict[str, str]:
    """Return the variables that give a server ports which nobody listens on."""
    return dict(zip(PORT_SETTINGS, map(str, free_ports(len(PORT_SETTINGS))), strict=True))


# At import: pytest-django reads the settings before any hook of this plugin would run.
# A short path, for the sockets in it, and not pytest's tmp_path, whose path grows with the test's name.
os.environ["AXONIZE_DATA_DIR"] = tempfile.mkdtemp(prefix="axonize-")
Path(os.environ["AXONIZE_DATA_DIR"]).chmod(0o711)  # run by root, PostgreSQL becomes another user
os.environ.update(ports_of_a_stack())
for _name in STORE_VARIABLES:
    os.environ.pop(_name, None)


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["AXONIZE_DATA_DIR"], ignore_errors=True)


@pytest.fixture(scope="session")
def engines() -> Iterator[None]:
    """Redis, PostgreSQL and ClickHouse, running at the addresses of the settings."""
    with embedded.running(Path(os.environ["AXONIZE_DATA_DIR"]), int(os.environ["AXONIZE_CLICKHOUSE_PORT"])):
        yield
        from axonize.metrics import reporter  # noqa: PLC0415 - it needs settings, which this module makes

        reporter.end()  # of a receiver that ran in this process, while Redis is still there


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
    """Start the engines before pytest-django makes its database, and so stop them after it removed it.

    A fixture of pytest-django's can't be overridden here, for a plugin named on the command line is loaded before it.
    """
    if fixturedef.argname == "django_db_setup":
        request.getfixturevalue("engines")
