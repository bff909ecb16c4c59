"""Reads settings from the environment and records each; a wrong one ends the process with one sentence of its name."""

import os
import re
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NoReturn, Protocol, TypeVar
from urllib.parse import urlsplit

from environs import Env, EnvError, ValidationError, validate

from axonize.setting import Rule, Setting, Validator, in_words, takes_of, unit_of

DOCUMENTED = "docs/configuration.md"

Value = TypeVar("Value")


def url(*schemes: str) -> Rule:
    """Return a validator of URLs with one of these schemes."""
    begins = [f"{scheme}://" for scheme in schemes]

    def check(value: str) -> None:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - urllib looks at it on demand only, and raises ValueError
        except ValueError as error:
            raise ValidationError("Not a valid URL.") from error
        if parts.scheme not in schemes or not value.startswith(f"{parts.scheme}://"):
            raise ValidationError(f"Not a URL that begins with {' or '.join(begins)}.")

    return Rule(f"URL: {' or '.join(f'`{begin}`' for begin in begins)}", check)


_HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@,]+")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _check_address(value: str) -> None:
    if not (_is_address(value) or _HOST_NAME.fullmatch(value)):
        raise ValidationError(f"{value!r} is neither an IP address nor a host name.")


def _check_hosts(values: list[str]) -> None:
    for value in values:
        is_ipv6 = value.startswith("[") and value.endswith("]") and _is_address(value[1:-1])
        if not (value == "*" or is_ipv6 or _HOST_NAME.fullmatch(value.removeprefix("."))):
            raise ValidationError(f"{value!r} is not a host name: name it without https:// and without a port.")


def _check_origins(values: list[str]) -> None:
    for value in values:
        if not _ORIGIN.fullmatch(value):
            raise ValidationError(f"{value!r} is not an origin like https://dashboard.example.")


def _check_directory(value: str) -> None:
    if os.path.exists(value) and not os.path.isdir(value):  # noqa: PTH110, PTH112 - pathlib's raise for some names
        raise ValidationError(f"{value} is not a directory.")


def _check_file(value: str) -> None:
    if os.path.isdir(value):  # noqa: PTH112 - the same
        raise ValidationError(f"{value} is a directory, not a file.")


PORT = validate.Range(min=1, max=65535)
POSITIVE = validate.Range(min=1)
DAYS = validate.Range(min=1, max=3650)  # a partition a day, of which ClickHouse keeps some thousands well
LOG_FORMATS = validate.OneOf(["auto", "json", "console"])
CLUSTER = Rule(
    "name",
    validate.Regexp(
        r"(?:[A-Za-z_][\w.-]*)?\Z", error="Not a cluster's name: letters, digits, '_', '.' and '-', a letter first."
    ),
)
LOG_LEVEL = validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
ADDRESS = Rule("IP address or host name", _check_address)
HOSTS = Rule("host names, commas between", _check_hosts)
ORIGINS = Rule("origins, commas between", _check_origins)
DIRECTORY = Rule("directory", _check_directory)
PEM_FILE = Rule("file in PEM form", _check_file)  # what is in it axonize.tls looks at, for who needs it


class Read(Protocol[Value]):
    """Reads one setting.

    Args of a call:
        name: the variable.
        default: what counts where the variable is not set, or empty.
        validate: raises ValidationError for what the variable must not be.
        shown: the default in words, where it follows from something else.

    A wrong value ends the process.
    """

    def __call__(self, name: str, default: Value, *, validate: Validator | None = None, shown: str = "") -> Value: ...


class Environment:
    """The environment as settings of a type each. Values are not told, for some are secrets."""

    def __init__(self) -> None:
        self.recorded: dict[str, Setting] = {}
        variables = _Variables()
        self.str: Read[str] = partial(self._read, variables.str, "text")
        self.int: Read[int] = partial(self._read, variables.int, "integer")
        self.float: Read[float] = partial(self._read, variables.float, "number")
        self.bool: Read[bool] = partial(self._read, variables.bool, "true or false")
        self.list: Read[list[str]] = partial(
            self._read, partial(variables.list, subcast=str.strip), "list, commas between"
        )
        self.secret: Read[str] = partial(self._read, _Secrets().str, "text", secret=True)

    @property
    def variables(self) -> set[str]:
        """Every variable that sets something."""
        return {variable for setting in self.recorded.values() for variable in setting.variables}

    def _read(
        self,
        parse: Callable[..., Any],
        kind: str,
        name: str,
        default: Any,
        *,
        validate: Validator | None = None,
        shown: str = "",
        secret: bool = False,
    ) -> Any:
        unit = unit_of(name)
        self.recorded[name] = Setting(name, takes_of(kind, validate), shown or in_words(default, unit), unit, secret)
        try:
            return parse(name, default, validate=validate)
        except (EnvError, ValidationError) as error:
            reason = error if isinstance(error, ValidationError) else error.__cause__
            why = reason.messages if isinstance(reason, ValidationError) else [error]
            variable = f"{name}_FILE" if secret and os.environ.get(f"{name}_FILE") else name
            _end(variable, " ".join(str(sentence) for sentence in why))


def given(name: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a secret is set, by its variable or by the file of the other one."""
    return bool(environ.get(name) or environ.get(f"{name}_FILE"))


class _Variables(Env):
    """An empty variable counts as not set: that is how Compose hands one on that nobody set."""

    def _get_value(self, env_key: str, default: Any) -> Any:
        return os.environ.get(env_key) or default


class _Secrets(Env):
    """The same, and where NAME_FILE names a file, what is in it."""

    def _get_value(self, env_key: str, default: Any) -> Any:
        value, path = os.environ.get(env_key), os.environ.get(f"{env_key}_FILE")
        if value and path:
            raise ValidationError(f"{env_key} is set too, and only one of them can count.")
        return (_content(path) if path else value) or default


def _content(path: str) -> str:
    """Return what a file holds, without the line's end that editors and `echo` put there. Raises ValidationError."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValidationError(f"{path} can't be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise ValidationError(f"{path} is not text in UTF-8.") from error
    if not text.strip():
        raise ValidationError(f"{path} is empty.")
    if "\0" in text:
        raise ValidationError(f"{path} is not text: there is a zero byte in it.")
    return text.removesuffix("\n").removesuffix("\r")


def _end(variable: str, why: str) -> NoReturn:
    """End the process: no caller of the settings module could go on without the setting."""
    raise SystemExit(
        f"{variable} in the environment is wrong: {why} {DOCUMENTED} lists the settings and their defaults."
    ) from None
