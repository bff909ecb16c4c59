"""The processes that run here, by what they say of themselves."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings

from axonize.doctor.finding import Check, Finding, fail, ok, warn
from axonize.health import heartbeat
from axonize.health.web import ask_web

PARTS: Final = ("receiver", "worker", "beat")


def parts() -> Iterator[Finding]:
    """Ask each process that is to run; one that runs elsewhere is not seen from here."""
    for part in PARTS:
        live = heartbeat.ask(settings.HEALTH_DIR, part, live=True)
        ready = heartbeat.ask(settings.HEALTH_DIR, part, live=False)
        if ready.well:
            yield ok(ready.why)
        elif heartbeat.runs(settings.HEALTH_DIR, part):
            mend = "Look at what the sentence names." if live.well else "Start it again, and look at its log."
            yield (warn if live.well else fail)(ready.why, mend)
        else:
            yield warn(ready.why, f"Start it, or run `manage.py health {part}` where it runs.")
    web = ask_web(live=False)
    mend = "Start it, or run `manage.py health web` where it runs; what it names as unavailable is told above."
    yield ok(web.why) if web.well else warn(web.why, mend)


CHECKS: Final[dict[str, Check]] = {"processes": parts}
