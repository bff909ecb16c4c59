"""A task logs under the id of the request that started it, through every further try."""

from collections.abc import Iterator

import pytest
import redis
from celery import Task, shared_task
from celery.contrib.testing.worker import start_worker

from axonize.celery import app
from axonize.request_id import current_request_id, request_context
from tests.logs import CANARY, Log, logged
from tests.processes import wait_until

seen: list[str] = []


@shared_task(bind=True, name="tests.try_twice")
def try_twice(self: "Task[[], None]") -> None:
    seen.append(current_request_id())
    if not self.request.retries:
        raise self.retry(countdown=0)
    raise ValueError(CANARY)


@pytest.fixture
def log(queue: redis.Redis) -> Iterator[Log]:  # noqa: ARG001  emptied
    """Log of a worker, which sets up its logging when it starts."""
    seen.clear()
    with start_worker(app, pool="solo", perform_ping_check=False), logged() as log:
        yield log


def test_a_task_has_the_id_of_its_request_at_every_try_and_its_failure_is_one_line(log: Log) -> None:
    with request_context("from-a-request"):
        try_twice.delay()
    wait_until(lambda: len(seen) == 2 and any("exception" in line for line in log.lines))
    assert seen == ["from-a-request"] * 2
    [failed] = [line for line in log.lines if "exception" in line]
    assert failed["request_id"] == "from-a-request"
    assert failed["event"].startswith("Task tests.try_twice[")
    assert failed["event"].endswith("raised unexpected")
    assert failed["exception"].endswith("ValueError")
    assert CANARY not in log.text


@pytest.mark.usefixtures("log")
def test_a_task_of_no_request_has_no_id_left_by_the_one_before() -> None:
    with request_context("from-a-request"):
        try_twice.delay()
    wait_until(lambda: len(seen) == 2)
    try_twice.delay()
    wait_until(lambda: len(seen) == 4)
    assert seen[2:] == ["", ""]
