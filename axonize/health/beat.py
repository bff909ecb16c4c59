"""Beat's heartbeat: Celery's own schedule, which shows that it ticks."""

from typing import Any

from celery.beat import PersistentScheduler
from django.conf import settings

from axonize.health.pulse import Pulse


class Scheduler(PersistentScheduler):
    """Sends what is due, and tells how beat is for as long as it runs."""

    _pulse: Pulse | None = None

    def setup_schedule(self) -> None:
        self._pulse = Pulse(settings.HEALTH_DIR, "beat", checks=("redis",))
        self._pulse.start()
        super().setup_schedule()

    def tick(self, *args: Any, **options: Any) -> Any:
        interval = super().tick(*args, **options)
        if self._pulse is not None:
            self._pulse.turned()
        return interval

    def close(self) -> None:
        if self._pulse is not None:
            self._pulse.stop()
        super().close()
