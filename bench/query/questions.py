"""The questions of an endpoint: some hundred combinations of its parameters, the pages that follow some of them too."""

import http.client
import json
import random
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from http import HTTPStatus
from urllib.parse import quote, urlencode

from bench.query.asking import ANSWER_SECONDS, Question, ask
from bench.query.drawing import Drawing
from bench.query.endpoints import ENDPOINTS, Endpoint
from bench.query.fleet import TENANTS
from bench.query.values import TenantValues

QUESTIONS = 240
"""How many there are of an endpoint; asked one after the other, and then again from the first."""
FOLLOWED, DEEPEST = 8, 3
"""Of how many lists the next pages are asked for, and how many of each."""
MIXED = 1000


def drawn(
    endpoint: Endpoint, values: Mapping[str, TenantValues], *, seed: int, count: int = QUESTIONS
) -> list[Question]:
    """Return so many questions, the tenants' shares of them those that they have of the data."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    tenants = dice.choices(list(TENANTS), list(TENANTS.values()), k=count)
    return [_question(endpoint, Drawing(dice, values[tenant], time.time())) for tenant in tenants]


def mixed(values: Mapping[str, TenantValues], names: Sequence[str], *, seed: int) -> list[Question]:
    """Return questions of these endpoints, in proportion to their shares and in no order."""
    total = sum(ENDPOINTS[name].share for name in names)
    found = []
    for name in names:
        count = max(1, MIXED * ENDPOINTS[name].share // total)
        found += drawn(ENDPOINTS[name], values, seed=seed, count=count)
    random.Random(seed).shuffle(found)  # noqa: S311 - no secret
    return found


def with_following(port: int, questions: Sequence[Question]) -> list[Question]:
    """Ask some lists, and return in the place of as many others the questions for their next pages."""
    following: list[Question] = []
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)) as connection:
        for question in [each for each in questions if "offset=" not in each.target][:FOLLOWED]:
            cursor = None
            for _ in range(DEEPEST):
                cursor = _next(connection, question, cursor)
                if cursor is None:
                    break
                following.append(_page(question, cursor))
    kept = list(questions[: len(questions) - len(following)]) + following
    random.Random(len(kept)).shuffle(kept)  # noqa: S311 - no secret
    return kept


def is_there(port: int, question: Question) -> bool:
    """Tell whether the server has the endpoint of a question at all."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)) as connection:
        return ask(connection, question)[0] != HTTPStatus.NOT_FOUND


def _question(endpoint: Endpoint, by: Drawing) -> Question:
    path, parameters = endpoint.make(by)
    query = f"?{urlencode(parameters, quote_via=quote)}" if parameters else ""
    return Question(f"/api/v1{path}{query}", by.values.key, endpoint.filled)


def _page(question: Question, cursor: str) -> Question:
    sign = "&" if "?" in question.target else "?"
    return Question(f"{question.target}{sign}cursor={quote(cursor)}", question.key, question.filled)


def _next(connection: http.client.HTTPConnection, question: Question, cursor: str | None) -> str | None:
    status, body = ask(connection, question if cursor is None else _page(question, cursor))
    found: str | None = json.loads(body)["next"] if status == HTTPStatus.OK else None
    return found
