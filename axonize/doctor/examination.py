"""Runs all checks at once, each for a bounded time; one that fails or hangs keeps no other from its finding."""

import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from importlib import import_module
from typing import Final

from django.apps import apps
from django.db import connection
from django.utils.module_loading import module_has_submodule

from axonize.doctor.finding import Check, Finding, Level, fail

CHECK_SECONDS: Final = 15.0
OWN: Final = (
    "installation",
    "configuration",
    "tls_files",
    "data_directory",
    "redis",
    "postgres",
    "clickhouse",
    "parts",
)


def known_checks() -> dict[str, Check]:
    """Return the checks by name: the project's own, then those of each app's module `doctor`."""
    found: dict[str, Check] = {}
    for name in OWN:
        found |= import_module(f"axonize.doctor.{name}").CHECKS
    for app in apps.get_app_configs():
        if app.name != "axonize" and app.module and module_has_submodule(app.module, "doctor"):
            found |= getattr(import_module(f"{app.name}.doctor"), "CHECKS", {})
    return found


def examine(checks: Mapping[str, Check], *, seconds: float = CHECK_SECONDS) -> Iterator[tuple[str, Finding]]:
    """Yield what each check finds, in order; `seconds` is for all of them together, for they run side by side."""
    futures = {name: _start(name, check) for name, check in checks.items()}
    deadline_s = time.monotonic() + seconds
    for name, future in futures.items():
        try:
            findings = future.result(max(0.0, deadline_s - time.monotonic()))
        except TimeoutError:
            mend = "What it asks hangs, or is very slow: look at its log, and at the network between."
            findings = [fail(f"There was no answer within {seconds:.0f} s.", mend)]
        for finding in findings:
            yield name, finding


def is_well(findings: list[tuple[str, Finding]], *, strict: bool) -> bool:
    """Tell whether nothing failed; with `strict`, whether nothing is to be warned of either."""
    bad = {Level.FAIL, Level.WARN} if strict else {Level.FAIL}
    return not any(finding.level in bad for _, finding in findings)


def _start(name: str, check: Check) -> Future[list[Finding]]:
    future: Future[list[Finding]] = Future()
    threading.Thread(target=_run, args=(check, future), name=f"doctor-{name}", daemon=True).start()
    return future


def _run(check: Check, future: Future[list[Finding]]) -> None:
    findings: list[Finding] = []
    try:
        findings.extend(check())
    except Exception as error:  # noqa: BLE001 - whatever a check raises is what it found
        reason = " ".join(str(error).split()) or type(error).__name__
        findings.append(fail(f"It can't be looked at: {reason[:300]}", "Mend what the sentence names, and ask again."))
    finally:
        connection.close()
    future.set_result(findings)
