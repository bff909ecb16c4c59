"""Reads settings from the environment; a wrong one ends the process with one sentence that names it."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from environs import Env, EnvError, ValidationError, validate

Parser = TypeVar("Parser", bound=Callable[..., Any])

PORT = validate.Range(min=1, max=65535)
POSITIVE = validate.Range(min=1)
LOG_LEVEL = validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
LOG_FORMATS = validate.OneOf(["auto", "json", "console"])


def url(*schemes: str) -> Callable[[str], None]:
    """Return a validator of URLs with one of these schemes; the empty text is the unset one."""

    def check(value: str) -> None:
        try:
            parts = urlsplit(value)
            parts.port  # noqa: B018 - urllib looks at it on demand only, and raises ValueError
        except ValueError as error:
            raise ValidationError("Not a valid URL.") from error
        if value and parts.scheme not in schemes:
            raise ValidationError(f"Not a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}.")

    return check


def _ending(parser: Parser) -> Parser:
    """Make a parser end the process where it would raise: no caller of the settings module could go on without it."""

    @wraps(parser)
    def parse(env: Env, name: str, *args: Any, **options: Any) -> Any:
        try:
            return parser(env, name, *args, **options)
        except EnvError as error:
            why = error.__cause__.messages if isinstance(error.__cause__, ValidationError) else [error]
            raise SystemExit(
                f"{name} in the environment is wrong: {' '.join(str(reason) for reason in why)} "
                "README.md lists the settings and their defaults."
            ) from None

    return cast("Parser", parse)


class Environment(Env):
    """The parsers of environs that the settings use. The values themselves are not told, for some are secrets."""

    str = _ending(Env.str)
    int = _ending(Env.int)
    bool = _ending(Env.bool)
    list = _ending(Env.list)
