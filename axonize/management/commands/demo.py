"""`manage.py demo`: send the traffic of a small fleet, so that a new installation has something to show."""

import argparse
import math
import re
import shutil
import signal
import time
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from axonize.demo.exporter import KeyNeededError, ReceiverUnavailableError, Tally, probe, quiet_sdk
from axonize.demo.fleet import FLEET
from axonize.demo.run import Plan, Progress, run
from axonize.demo.sender import Sender

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}
_PLAIN_LINE_EVERY_S = 10.0


def seconds(text: str) -> float:
    """Return the seconds of a duration like 30s, 5m or 1.5h."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration like 30s, 5m or 1h")
    return float(match[1]) * _UNIT_SECONDS[match[2]]


def positive(text: str) -> float:
    """Return a number of requests a second."""
    try:
        rate = float(text)
    except ValueError:
        rate = math.nan
    if not (0 < rate < math.inf):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return rate


class Command(BaseCommand):
    help = (
        "Send the traffic of a small GPU fleet over OTLP/gRPC: LLM serving, images, embeddings, errors, slow requests."
    )
    # It is a client: it needs neither the databases nor the URLs of the server.
    requires_system_checks = ()

    interrupted = False
    plain_line_due_s = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.BIND, settings.BIND)  # noqa: S104, compared only
        parser.add_argument(
            "--for", dest="duration_s", metavar="TIME", type=seconds, default=60.0, help="how long (default: 1m)"
        )
        parser.add_argument(
            "--backfill",
            dest="backfill_s",
            metavar="TIME",
            type=seconds,
            default=3600.0,
            help="how much of the past to fill in first, sparsely; 0s for none (default: 1h)",
        )
        parser.add_argument("--rate", type=positive, default=5.0, help="requests a second on average (default: 5)")
        parser.add_argument("--seed", type=int, help="repeat the traffic of an earlier run with this number")
        parser.add_argument(
            "--endpoint",
            default=f"{'https://' if settings.TLS_CERT_FILE else ''}{host}:{settings.OTLP_GRPC_PORT}",
            help="host:port or URL of an OTLP/gRPC receiver (default: %(default)s)",
        )

    def handle(self, *, endpoint: str, duration_s: float, backfill_s: float, rate: float, **options: Any) -> None:
        plan = Plan(duration_s, backfill_s, rate, options["seed"])
        with quiet_sdk():
            try:
                probe(endpoint)
            except KeyNeededError as error:
                raise CommandError(
                    f"{endpoint} takes no spans without an API key that may send them ({error}): "
                    "set OTEL_EXPORTER_OTLP_HEADERS='authorization=Bearer%20ax_…'."
                ) from error
            except ReceiverUnavailableError as error:
                raise CommandError(
                    f"Nothing at {endpoint} takes OTLP over gRPC ({error}): start the server with `make run`, "
                    "or name another one with --endpoint."
                ) from error
            sender = Sender(endpoint)
            previous = {number: signal.signal(number, self.interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                done = run(
                    plan,
                    sender,
                    report=lambda progress: self.show(progress, plan, sender.tally),
                    stopped=lambda: self.interrupted,
                )
            finally:
                for number, handler in previous.items():
                    signal.signal(number, handler)
        self.close(done, sender.tally, endpoint)

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.interrupted = True
        # A second one ends the process at once; Python's own handler would wait for the threads that still send.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)

    def show(self, progress: Progress, plan: Plan, tally: Tally) -> None:
        """Rewrite the progress line on a terminal; elsewhere write a plain one now and then."""
        where = (
            "filling in the past" if progress.live_s is None else f"{progress.live_s:.0f} s of {plan.duration_s:.0f} s"
        )
        line = f"{where}, {progress.requests:,} requests, {tally.delivered:,} spans taken"
        if tally.failed or tally.refused:
            line += f", {tally.failed + tally.refused:,} not ({tally.reason})"
        if self.stdout.isatty():
            # A line that wraps could not be rewritten.
            width = shutil.get_terminal_size().columns
            self.stdout.write(f"\r\x1b[K{line[: width - 1]}", ending="")
            self.stdout.flush()
        elif (now_s := time.monotonic()) >= self.plain_line_due_s:
            self.stdout.write(line)
            self.plain_line_due_s = now_s + _PLAIN_LINE_EVERY_S

    def close(self, done: Progress, tally: Tally, endpoint: str) -> None:
        """Say what was sent and where to look; fail when some of it did not arrive."""
        if self.stdout.isatty():
            self.stdout.write("\r\x1b[K", ending="")
        host = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}").hostname or ""
        host = f"[{host}]" if ":" in host else host
        scheme = "https" if settings.HTTPS else "http"
        sent = (
            f"Sent {done.requests:,} requests of {len(FLEET)} pods: {tally.delivered:,} of {tally.ended:,} spans taken"
        )
        if self.interrupted:
            sent = f"Stopped. {sent}"
        if tally.lost or tally.refused:
            reason = tally.reason or "more spans than a pod's queue holds, lower --rate"
            raise CommandError(f"{sent}, {tally.refused:,} refused, {tally.lost:,} lost. Last reason: {reason}.")
        self.stdout.write(self.style.SUCCESS(f"{sent}. Look at {scheme}://{host}:{settings.WEB_PORT}/"))
