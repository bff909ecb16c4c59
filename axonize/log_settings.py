"""How every process logs: to stderr, one line an event, JSON or readable."""

import sys
from typing import Any, Final

JSON: Final = "json"
CONSOLE: Final = "console"
AUTO: Final = "auto"


def log_format(chosen: str) -> str:
    """Return `json` or `console`; `auto` is JSON unless a person looks on."""
    if chosen != AUTO:
        return chosen
    return CONSOLE if sys.stderr.isatty() else JSON


def log_config(chosen_format: str, level: str) -> dict[str, Any]:
    """Return the configuration for logging.config.dictConfig.

    Args:
        chosen_format: as `log_format` returns it.
        level: the least level that is told, of our own loggers and of those of libraries that are not named here.

    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": f"axonize.log_lines.{chosen_format}_formatter"}},
        "filters": {"flood": {"()": "axonize.flood.LibraryFlood"}},
        "handlers": {
            # With the level too: those of libraries below may be lower.
            "stderr": {"class": "logging.StreamHandler", "level": level, "formatter": "line", "filters": ["flood"]}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django would add handlers of its own.
            "django": {"handlers": [], "propagate": True, "level": "INFO"},
            # RequestLogMiddleware tells of every request.
            "django.server": {"handlers": [], "propagate": True, "level": "ERROR"},
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # At DEBUG these two quote parameters of SQL and what a page shows.
            "django.db.backends": {"level": "INFO"},
            "django.template": {"level": "INFO"},
            "clickhouse_connect": {"level": "CRITICAL"},  # axonize.clickhouse.errors tells each error, once
            "urllib3": {"level": "ERROR"},
            "uvicorn": {"level": "WARNING"},
            # It tells of each task that beat sends each second, and of its end. A written batch says so itself.
            "celery": {"level": "DEBUG" if level == "DEBUG" else "WARNING"},
            "kombu": {"level": "WARNING"},
        },
    }
