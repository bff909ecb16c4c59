"""gunicorn's log, told by the handler that all loggers have."""

from typing import Any

from gunicorn import glogging  # type: ignore[import-untyped]  # it ships no types


class Logger(glogging.Logger):  # type: ignore[misc]  # the same
    """gunicorn's loggers, without the handlers that it gives them."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            log.handlers.clear()
            log.propagate = True
