"""`manage.py doctor`: look at everything the server stands on, and say how to mend what is wrong."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand

from axonize.database import close_connections
from axonize.doctor.examination import examine, is_well, known_checks
from axonize.doctor.finding import Finding, Level


class Command(BaseCommand):
    help = (
        "Look at versions, settings, Redis, PostgreSQL, ClickHouse, clocks, disks, certificates, the queue and the "
        "processes, and say how to mend what is wrong. Exit 1 if something fails."
    )
    requires_system_checks = ()  # one of its own checks runs them

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="one JSON object: whether all is well, and the findings"
        )
        parser.add_argument("--strict", action="store_true", help="exit 1 for a warning, too")

    def handle(self, *_args: Any, **options: Any) -> None:
        findings = []
        try:
            for name, finding in examine(known_checks()):
                findings.append((name, finding))
                if not options["json"]:
                    self._show(name, finding)
        finally:
            close_connections()
        well = is_well(findings, strict=options["strict"])
        if options["json"]:
            rows = [{"check": name, **asdict(finding)} for name, finding in findings]
            self.stdout.write(json.dumps({"well": well, "findings": rows}, indent=2))
        if not well:
            sys.exit(1)

    def _show(self, name: str, finding: Finding) -> None:
        colour = {Level.OK: self.style.SUCCESS, Level.WARN: self.style.WARNING, Level.FAIL: self.style.ERROR}
        self.stdout.write(f"{colour[finding.level](f'{finding.level:<4}')}  {name}: {finding.what}")
        if finding.mend:
            self.stdout.write(f"{INDENT}{finding.mend}")
        self.stdout.flush()


INDENT: Final = " " * 6
