"""What `manage.py health` does. It loads as little as it can: Compose asks every container every ten seconds."""

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from axonize.health import heartbeat
from axonize.health.heartbeat import Verdict

BY_HEARTBEAT: Final = ("receiver", "worker", "beat")
WEB: Final = "web"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what to give on the command line."""
    parser.add_argument("part", choices=[*BY_HEARTBEAT, WEB], help="the process to ask about")
    parser.add_argument("--live", action="store_true", help="ask only whether it lives, not whether it can do its work")


def ask(part: str, *, live: bool) -> Verdict:
    """Tell how a part on this machine, in this container, is."""
    if part == WEB:
        from axonize.health.web import ask_web  # noqa: PLC0415 - it needs the settings, the others don't

        return ask_web(live=live)
    return heartbeat.ask(heartbeat.directory(), part, live=live)


def main(arguments: Sequence[str]) -> int:
    """Print one line and return the exit status: 0 if the part is well, 1 if not."""
    parser = argparse.ArgumentParser(prog="manage.py health", description="Say in one line whether a part is well.")
    add_arguments(parser)
    options = parser.parse_args(arguments)
    verdict = ask(options.part, live=options.live)
    print(verdict.why, file=sys.stdout if verdict.well else sys.stderr)
    return 0 if verdict.well else 1
