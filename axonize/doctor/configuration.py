"""The settings: Django's own checks, and with an address that others reach its checks of a deployment too."""

from collections.abc import Iterator
from typing import Final

from django.conf import settings
from django.core import checks

from axonize.doctor.finding import Check, Finding, fail, ok, warn
from axonize.exposure import is_loopback
from axonize.start import StartRefused, require_secret_key


def configuration() -> Iterator[Finding]:
    """Run Django's system checks."""
    is_open = not is_loopback(settings.BIND) or settings.TRUST_PROXY
    findings = []
    try:
        require_secret_key(bind=settings.BIND)
    except StartRefused as error:
        findings.append(fail("SECRET_KEY is not set to a good one.", str(error)))
    if is_open and "*" in settings.ALLOWED_HOSTS:
        mend = "Set ALLOWED_HOSTS to the names under which browsers know the server, commas between."
        findings.append(warn("ALLOWED_HOSTS takes any name.", mend))
    for message in checks.run_checks(include_deployment_checks=is_open):
        if message.is_silenced():
            continue
        level = fail if message.level >= checks.ERROR else warn
        mend = " ".join((message.hint or "Change the setting that the sentence names.").split())
        findings.append(level(f"{' '.join(message.msg.split())} ({message.id})", mend))
    yield from findings or [ok("Django finds nothing wrong with the settings.")]


CHECKS: Final[dict[str, Check]] = {"settings": configuration}
