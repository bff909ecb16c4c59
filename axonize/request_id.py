"""The id by which one request is found in the log of each process that had to do with it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from celery import Task
from celery.signals import before_task_publish, task_postrun, task_prerun

HEADER: Final = "X-Request-ID"
METADATA: Final = "x-request-id"
TASK_HEADER: Final = "axonize_request_id"
MAX_LENGTH: Final = 64
_sane = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_LENGTH}}}", re.ASCII).fullmatch


def request_id_of(sent: str | None) -> str:
    """Return the id that a client sent if it is a short token, else a new one: 32 hexadecimal digits."""
    return sent if sent is not None and _sane(sent) else os.urandom(16).hex()


def current_request_id() -> str:
    """Return the id of the request that this thread works on, '' where there is none."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


@contextmanager
def request_context(request_id: str) -> Iterator[None]:
    """Have every line that is logged meanwhile name the request."""
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        yield


@before_task_publish.connect(weak=False)
def send_request_id(headers: dict[str, Any], **_signal: object) -> None:
    """Give a task the id of the request, or of the task, that starts it."""
    request_id = current_request_id()
    if request_id:
        headers[TASK_HEADER] = request_id


@task_prerun.connect(weak=False)
def begin_task(task_id: str, task: "Task[Any, Any]", **_signal: object) -> None:
    """Name the task, and the request that started it, in what it logs."""
    context = {"task": task.name, "task_id": task_id}
    request_id = task.request.get(TASK_HEADER)
    if request_id:
        context["request_id"] = request_id
    structlog.contextvars.bind_contextvars(**context)


@task_postrun.connect(weak=False)
def end_task(**_signal: object) -> None:
    structlog.contextvars.unbind_contextvars("task", "task_id", "request_id")
