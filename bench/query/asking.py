"""Clients that ask the REST API: processes that cost little, paced together or each as fast as it gets answers."""

import http.client
import multiprocessing
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from itertools import accumulate
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import Synchronized

ANSWER_SECONDS = 30.0
LATE_SECONDS = 10.0
"""How long after its end a paced phase goes on with what was due before; the rest stays unanswered."""
LEAD_SECONDS = 0.2
"""Between telling the clients and the first question."""


@dataclass(frozen=True)
class Question:
    """One request: what follows the host, by whose key, and what an answer has in it that is not empty."""

    target: str
    key: str
    filled: str
    """A regular expression, of bytes near the answer's start."""


@dataclass(frozen=True)
class Sample:
    """How one question was answered."""

    question: int
    milliseconds: float
    """From when it was due when paced, from when it was sent otherwise; until the last byte."""
    status: int
    """0 where no answer came, or none was waited for."""
    filled: bool
    bytes: int


@dataclass(frozen=True)
class Job:
    """A phase: either the moments at which questions are due (time.monotonic), or the moment at which all end."""

    questions: Sequence[Question]
    due_s: Sequence[float]
    end_s: float


class Clients:
    """Client processes; make them with :func:`clients`."""

    def __init__(self, pipes: Sequence[Connection], taken: "Synchronized[int]") -> None:
        self._pipes = pipes
        self._taken = taken

    def paced(self, questions: Sequence[Question], *, rate: float, seconds: float, seed: int) -> list[Sample]:
        """Ask `rate` questions a second, all clients together, at moments that do not wait for answers."""
        dice = random.Random(seed)  # noqa: S311 - no secret
        begin = time.monotonic() + LEAD_SECONDS
        gaps = (dice.expovariate(rate) for _ in range(round(rate * seconds)))
        due = [begin + after for after in accumulate(gaps)]
        return self._run(Job(questions, due, due[-1] + LATE_SECONDS))

    def flat_out(self, questions: Sequence[Question], *, seconds: float) -> list[Sample]:
        """Ask the next question as soon as an answer has come."""
        return self._run(Job(questions, (), time.monotonic() + LEAD_SECONDS + seconds))

    def _run(self, job: Job) -> list[Sample]:
        self._taken.value = 0
        for pipe in self._pipes:
            pipe.send(job)
        return [sample for pipe in self._pipes for sample in pipe.recv()]


@contextmanager
def clients(port: int, *, count: int) -> Iterator[Clients]:
    """Run so many clients of a web process for as long as the context lasts."""
    context = multiprocessing.get_context("spawn")
    taken: Synchronized[int] = context.Value("q", 0)
    ends = [context.Pipe() for _ in range(count)]
    processes = [context.Process(target=work, args=(port, end, taken), daemon=True) for _, end in ends]
    for process in processes:
        process.start()
    try:
        yield Clients([end for end, _ in ends], taken)
    finally:
        for end, _ in ends:
            end.send(None)
        for process in processes:
            process.join(ANSWER_SECONDS)


def work(port: int, pipe: Connection, taken: "Synchronized[int]") -> None:
    """Do jobs until there are none; `taken` is how many questions all clients together have begun."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)) as connection:
        while True:
            job: Job | None = pipe.recv()
            if job is None:
                return
            pipe.send(list(samples(connection, job, taken)))


def samples(connection: http.client.HTTPConnection, job: Job, taken: "Synchronized[int]") -> Iterator[Sample]:
    while True:
        with taken.get_lock():
            number = taken.value
            taken.value += 1
        at = number % len(job.questions)
        if job.due_s and number >= len(job.due_s):
            return
        began = job.due_s[number] if job.due_s else time.monotonic()
        if began > job.end_s:
            return
        time.sleep(max(0.0, began - time.monotonic()))
        if time.monotonic() > job.end_s:
            yield Sample(at, (time.monotonic() - began) * 1000, 0, filled=False, bytes=0)
            continue
        status, body = ask(connection, job.questions[at])
        milliseconds = (time.monotonic() - began) * 1000
        filled = status == HTTPStatus.OK and is_filled(job.questions[at], body)
        yield Sample(at, milliseconds, status, filled, len(body))


def ask(connection: http.client.HTTPConnection, question: Question) -> tuple[int, bytes]:
    """Return the status and the body of an answer, 0 where there is none."""
    try:
        connection.request("GET", question.target, headers={"authorization": f"Bearer {question.key}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()  # the next request opens it again
        return 0, b""


def is_filled(question: Question, body: bytes) -> bool:
    return re.search(question.filled.encode(), body[:4096]) is not None
