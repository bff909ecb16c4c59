"""Bringing the stack up, keeping it up, and taking it down: what ``manage.py up`` does."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from django.conf import settings

from axonize.database import close_connections
from axonize.embedded import ports
from axonize.embedded.console import Console
from axonize.embedded.credentials import ADMIN, ensure_admin, secret_key
from axonize.embedded.datadir import lock, socket_dir
from axonize.embedded.stack import CHECK_START, MIGRATIONS, Stack
from axonize.embedded.supervisor import SYSTEM, StartError, Supervisor
from axonize.environment import given
from axonize.log_settings import AUTO, CONSOLE
from axonize.start import require_secret_key

STOP_SECONDS = 14.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(*, engines_only: bool) -> int:
    """Run the stack until a signal stops it.

    Args:
        engines_only: start the embedded servers, migrated, and nothing else.

    Returns:
        The exit code: 0 after a signal, 1 when the stack could not start.

    Raises:
        DataDirectoryError: the data directory is in use, or can't be used; nothing was started.
        PortTakenError: a port is taken; nothing was started.
        StartRefused: it is not safe to listen on AXONIZE_BIND, or a TLS file is wrong; nothing was started.

    """
    if not engines_only:
        require_secret_key(bind=settings.BIND)
    stack = Stack.configured(os.environ, engines_only=engines_only)
    socket_dir(settings.DATA_DIR)
    lock(settings.DATA_DIR, ".lock")
    ports.check(stack.ports)
    os.environ["AXONIZE_DATA_DIR"] = str(settings.DATA_DIR)
    os.environ["PYTHONUNBUFFERED"] = "1"
    if (os.environ.get("AXONIZE_LOG_FORMAT") or AUTO) == AUTO:
        os.environ["AXONIZE_LOG_FORMAT"] = CONSOLE  # what the parts say goes through a pipe, and to people
    if not given("SECRET_KEY"):
        os.environ["SECRET_KEY"] = secret_key(settings.DATA_DIR)
    return asyncio.run(_run(stack))


async def _run(stack: Stack) -> int:
    console = Console(sys.stdout)
    supervisor = Supervisor(console.say)
    work = asyncio.create_task(_bring_up(stack, supervisor, console))

    def on_signal() -> None:
        if work.cancelling() or work.done():
            supervisor.kill()
        else:
            work.cancel()

    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal)
    try:
        await work
    except asyncio.CancelledError:
        console.say(SYSTEM, "stopping (once more to stop at once)")
        code = 0
    except StartError as error:
        console.say(SYSTEM, str(error))
        code = 1
    finally:
        await supervisor.stop(within_seconds=STOP_SECONDS)
    return code


def _ensure_admin() -> Path:
    try:
        return ensure_admin(settings.DATA_DIR)
    finally:  # this process asks for nothing more
        close_connections()


async def _bring_up(stack: Stack, supervisor: Supervisor, console: Console) -> None:
    supervisor.start(stack.engines)
    await supervisor.answered(at_first_try=True)
    for argv in MIGRATIONS:
        await supervisor.run("migrate", argv)
    if stack.services:
        await supervisor.run("check", CHECK_START)
    admin = ""
    if any(part.name == "postgres" for part in stack.engines):
        path = await asyncio.to_thread(_ensure_admin)
        admin = f"The admin's user is {ADMIN}, its first password is in {path}"
    supervisor.start(stack.services)
    await supervisor.answered()
    console.say(SYSTEM, "ready  " + "  ".join(f"{name}: {address}" for name, address in stack.addresses.items()))
    if admin:
        console.say(SYSTEM, admin)
    await asyncio.Event().wait()
