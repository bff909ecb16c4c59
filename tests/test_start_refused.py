"""A server that other machines could reach unprotected, or that is told nonsense, ends at once with one sentence."""

import logging
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.db import connection
from django.test import override_settings

from axonize.start import require_secret_key
from registry.models import ApiKey
from registry.start import StartRefused, require_safe
from tests.engines import ports_of_a_stack
from tests.keys import elsewhere, make_key, postgres_away
from tests.processes import finished

STRONG = "k3y-of-tests." * 5
ANY = "0.0.0.0"  # noqa: S104 - it is what must be refused
OTHERS_CONNECT = [ANY, "::", "", "192.0.2.7", "2001:db8::1", "host.example", "unix:/run/web.sock"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "::ffff:127.0.0.1"]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Make an empty data directory, whose path is short enough for sockets."""
    with TemporaryDirectory(prefix="axonize-") as directory:
        yield Path(directory)


def ending(*command: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command that is to end by itself, on ports that nobody else uses."""
    return finished(*command, env={**ports_of_a_stack(), **env})


@pytest.mark.parametrize(
    ("command", "env"),
    [
        (("manage.py", "up"), {"AXONIZE_BIND": ANY}),
        (("manage.py", "receive_otlp"), {"AXONIZE_BIND": ANY}),
        (("manage.py", "receive_otlp", "--bind", ANY), {}),
        (("manage.py", "runserver", "0.0.0.0:8000"), {}),
        (("-m", "gunicorn", "axonize.wsgi"), {"AXONIZE_BIND": ANY}),
        (("-m", "gunicorn", "axonize.wsgi", "--bind", "0.0.0.0:8000"), {}),
        (("-m", "uvicorn", "axonize.asgi:application"), {"AXONIZE_BIND": ANY}),
    ],
    ids=["up", "receive_otlp", "receive_otlp --bind", "runserver", "gunicorn", "gunicorn --bind", "uvicorn"],
)
def test_without_a_secret_key_no_command_listens_beyond_this_machine(
    command: tuple[str, ...], env: dict[str, str], data_dir: Path
) -> None:
    ended = ending(*command, env={**env, "SECRET_KEY": "", "AXONIZE_DATA_DIR": str(data_dir)})
    assert ended.returncode != 0
    assert ended.stderr.removeprefix("CommandError: ") == (
        "Listening on 0.0.0.0, which other machines can reach, needs a SECRET_KEY of at least 50 random characters: "
        "set it (`openssl rand -base64 48` makes one), or listen on 127.0.0.1.\n"
    )
    assert ended.stdout == ""
    assert list(data_dir.iterdir()) == [], "nothing was started"


def test_gunicorn_gives_up_also_where_each_worker_loads_the_application(tmp_path: Path) -> None:
    config = tmp_path / "empty.py"
    config.touch()
    ended = ending("-m", "gunicorn", "--config", str(config), "axonize.wsgi", env={"AXONIZE_BIND": ANY})
    assert ended.returncode != 0
    assert "needs a SECRET_KEY" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_up_starts_no_service_beyond_this_machine_without_an_api_key(data_dir: Path) -> None:
    env = {"AXONIZE_BIND": ANY, "SECRET_KEY": STRONG, "AXONIZE_DATA_DIR": str(data_dir)}
    ended = ending("manage.py", "up", env=env)
    assert ended.returncode == 1
    assert "needs an API key: start on 127.0.0.1, run `manage.py create_api_key" in ended.stdout
    assert " receiver " not in ended.stdout
    assert " web " not in ended.stdout


@pytest.mark.parametrize("bind", OTHERS_CONNECT)
@pytest.mark.parametrize("secret", ["", "django-insecure-" + STRONG, "k3y." * 12, "abcd" * 20], ids=len)
def test_a_secret_key_that_protects_nothing_is_none(bind: str, secret: str) -> None:
    with override_settings(SECRET_KEY=secret), pytest.raises(StartRefused, match="needs a SECRET_KEY"):
        require_secret_key(bind=bind)


@pytest.mark.parametrize("bind", LOOPBACK)
def test_on_this_machine_nothing_is_asked_for(bind: str) -> None:
    require_secret_key(bind=bind)
    require_safe(bind=bind)


@pytest.mark.django_db
@pytest.mark.parametrize("bind", OTHERS_CONNECT)
@override_settings(SECRET_KEY=STRONG)
def test_a_key_that_can_be_used_lets_it_start(bind: str) -> None:
    with pytest.raises(StartRefused, match="needs an API key"):
        require_safe(bind=bind)
    make_key()
    require_safe(bind=bind)


def revoke(key: ApiKey) -> None:
    key.revoked = True
    key.save()


def expire(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk).update(expiry_date=datetime.now(UTC) - timedelta(seconds=1))


@pytest.mark.django_db
@pytest.mark.parametrize("end", [revoke, expire])
@override_settings(SECRET_KEY=STRONG)
def test_a_key_that_opens_nothing_any_more_is_none(end: Callable[[ApiKey], None]) -> None:
    make_key()
    end(ApiKey.objects.get())
    with pytest.raises(StartRefused, match="needs an API key"):
        require_safe(bind=ANY)


@pytest.mark.django_db
@override_settings(SECRET_KEY=STRONG)
def test_a_database_that_is_not_migrated_holds_no_key() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE registry_apikey RENAME TO nowhere")
    with pytest.raises(StartRefused, match="needs an API key"):
        require_safe(bind=ANY)


@pytest.mark.django_db
@override_settings(SECRET_KEY=STRONG)
def test_a_postgres_that_is_away_holds_up_no_start(caplog: pytest.LogCaptureFixture) -> None:
    with postgres_away(), caplog.at_level(logging.WARNING):
        elsewhere(lambda: require_safe(bind=ANY))
    [told] = [record.getMessage() for record in caplog.records if record.name == "registry.start"]
    assert told.startswith("listening on 0.0.0.0 without having seen an API key, for PostgreSQL does not answer")


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("AXONIZE_WEB_PORT", "abc", "Not a valid integer."),
        ("AXONIZE_WEB_PORT", "70000", "Must be greater than or equal to 1 and less than or equal to 65535."),
        ("AXONIZE_REQUIRE_API_KEY", "perhaps", "Not a valid boolean."),
        ("AXONIZE_QUERY_MAX_SECONDS", "0", "Must be greater than or equal to 1."),
        ("AXONIZE_LOG_LEVEL", "LOUD", "Must be one of: DEBUG, INFO, WARNING, ERROR, CRITICAL."),
        ("REDIS_URL", "http://s3cret@host", "Not a URL that begins with redis:// or rediss:// or unix://."),
        ("DATABASE_URL", "postgresql://s3cret@host:port/a", "Not a valid URL."),
    ],
)
def test_a_wrong_setting_is_one_sentence(variable: str, value: str, why: str) -> None:
    ended = ending("manage.py", "check", env={variable: value})
    assert ended.returncode == 1
    assert ended.stderr == (
        f"{variable} in the environment is wrong: {why} docs/configuration.md lists the settings and their defaults.\n"
    )


@pytest.mark.parametrize(
    "command",
    [("-m", "gunicorn", "axonize.wsgi"), ("-m", "celery", "--app=axonize", "worker"), ("manage.py", "receive_otlp")],
    ids=lambda command: command[-2],
)
def test_each_process_tells_a_wrong_setting_in_that_sentence_alone(command: tuple[str, ...]) -> None:
    ended = ending(*command, env={"AXONIZE_DATABASE_POOL_SIZE": "many"})
    assert ended.returncode != 0
    assert ended.stderr == (
        "AXONIZE_DATABASE_POOL_SIZE in the environment is wrong: Not a valid integer. "
        "docs/configuration.md lists the settings and their defaults.\n"
    )
