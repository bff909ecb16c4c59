"""`manage.py receive_otlp`: receive spans over OTLP until told to stop."""

import logging
import os
from argparse import ArgumentParser
from typing import Any

import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from axonize.checks import TAG
from axonize.log_settings import CONSOLE
from ingest.receiver.ports import PortTaken
from ingest.receiver.processes import receive_in_processes
from ingest.receiver.run import receive
from registry.start import StartRefused, require_safe

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Receive OTLP/gRPC and OTLP/HTTP, and queue the spans in Redis."
    requires_system_checks = (TAG,)  # the others load the web's half of the project, which a receiver has no use for

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bind", default=settings.BIND, help="address to listen on (default: %(default)s)")
        parser.add_argument("--grpc-port", type=int, default=settings.OTLP_GRPC_PORT, help="default: %(default)s")
        parser.add_argument("--http-port", type=int, default=settings.OTLP_HTTP_PORT, help="default: %(default)s")
        parser.add_argument(
            "--processes", type=int, default=settings.RECEIVER_PROCESSES, help="receivers on these ports (%(default)s)"
        )
        parser.add_argument(
            "--share-ports", action="store_true", help="let other receivers of this user listen on the same ports"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        where = {"bind": options["bind"], "grpc_port": options["grpc_port"], "http_port": options["http_port"]}
        try:
            require_safe(bind=options["bind"])
            if options["processes"] > 1:
                os.environ["AXONIZE_LOG_FORMAT"] = settings.LOG_FORMAT  # theirs goes through a pipe, and then to ours
                uvloop.run(receive_in_processes(options["processes"], **where, say=self.say))
            else:
                uvloop.run(receive(**where, share_ports=options["share_ports"]))
        except (PortTaken, StartRefused) as error:
            raise CommandError(str(error)) from error

    def say(self, name: str, line: str) -> None:
        """Pass on a line of one of several receivers, or what the supervisor says of them."""
        if settings.LOG_FORMAT == CONSOLE:
            self.stdout.write(f"{name}: {line}")
        elif line.startswith("{"):
            self.stdout.write(line)
        else:
            logger.warning("%s: %s", name, line)
        self.stdout.flush()
