"""Asks the API what a model is asked, and tells where the two differ."""

import time
from datetime import datetime
from typing import Any

from django.test import Client

from tests.keys import bearer
from tests.oracle.comparing import difference
from tests.oracle.measures import EPOCH, SECOND_NS
from tests.oracle.model import Model
from tests.oracle.questions import Parameters, Question

MOST_PAGES = 200


class Api:
    """The API as one tenant's key opens it."""

    def __init__(self, key: str) -> None:
        self.client = Client(raise_request_exception=False, headers=bearer(key))

    def fault(self, question: Question, model: Model) -> str | None:
        """Return where the answer differs from the model's, None where it doesn't.

        Where the question names no end it is now, a moment between question and answer; some answers tell it.
        """
        before_ns = time.time_ns()
        got = self._pages(question) if question.pages else self._get(question.path, question.parameters)
        moments = [before_ns, time.time_ns()]
        told_ns = _told_end_ns(got)
        if told_ns is not None and moments[0] <= told_ns <= moments[1]:
            moments = [told_ns]
        faults = [difference(question.answer(model, now_ns), got) for now_ns in moments]
        return None if None in faults else faults[0]

    def delete(self, trace_id: str) -> None:
        """Delete a trace; one that is not there is no fault, for a part of a data set may lack it."""
        answer = self.client.delete(f"/api/v1/traces/{trace_id}")
        assert answer.status_code in (204, 404), answer.content

    def _pages(self, question: Question) -> Any:
        """Return all pages, each found by the `next` of the one before."""
        pages = []
        cursor: Parameters = {}
        for _ in range(MOST_PAGES):
            page = self._get(question.path, question.parameters | cursor)
            if not isinstance(page, dict) or "next" not in page:
                return page
            pages.append(page)
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
        return pages

    def _get(self, path: str, parameters: Parameters) -> Any:
        """Return the answer's JSON, None for a 404, the names of the parameters that a 400 refuses."""
        answer = self.client.get(f"/api/v1{path}", parameters)
        if answer.status_code == 200:
            return answer.json()
        if answer.status_code == 404:
            return None
        if answer.status_code == 400:
            return ",".join(sorted(str(error["attr"]) for error in answer.json()["errors"]))
        return {"status": answer.status_code, "content": answer.content.decode()}


def _told_end_ns(got: Any) -> int | None:
    """Return the end of the range that the answer tells, such as 2026-02-07T10:00:00.123456789Z."""
    text = got.get("end") if isinstance(got, dict) else None
    if not isinstance(text, str) or len(text) != 30:
        return None
    whole = datetime.fromisoformat(f"{text[:19]}+00:00") - EPOCH
    return (whole.days * 86_400 + whole.seconds) * SECOND_NS + int(text[20:29])
