"""The worker's heartbeat: a step of Celery's worker, whose timer shows that its loop turns."""

import time
from typing import Any, Final

from celery import bootsteps
from celery.worker import state as worker_state
from django.conf import settings

from axonize.health.heartbeat import INTERVAL_SECONDS
from axonize.health.pulse import Pulse

STUCK_SECONDS: Final[float] = settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
"""A task that takes longer is handed to another worker: this one has lost it."""
CHECKS: Final = ("redis", "clickhouse", "postgres", "migrations")


class Health(bootsteps.StartStopStep):
    """Tells how the worker is for as long as it runs."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None
        self._pulse: Pulse | None = None

    def start(self, parent: Any) -> None:
        self._pulse = Pulse(settings.HEALTH_DIR, "worker", checks=CHECKS, stuck=lambda: stuck(parent.concurrency))
        self._pulse.start()
        self._timer = parent.timer.call_repeatedly(INTERVAL_SECONDS, self._pulse.turned)

    def stop(self, parent: Any) -> None:  # noqa: ARG002  Celery's signature
        if self._timer is not None:
            self._timer.cancel()
        if self._pulse is not None:
            self._pulse.stop()

    def terminate(self, parent: Any) -> None:
        self.stop(parent)


def stuck(slots: int) -> str:
    """Return a sentence where every slot has been at one task for too long, else ''."""
    began_s = [request.time_start for request in tuple(worker_state.active_requests) if request.time_start]
    longest = [age for start in began_s if (age := time.time() - start) > STUCK_SECONDS]
    if len(longest) < slots:
        return ""
    return f"Each of its {slots} threads has been at one task for more than {STUCK_SECONDS:.0f} s."
