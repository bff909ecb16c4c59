"""Traces and their spans: lists by filter, order and page, trees, flat pages."""

from tests.oracle import trace_questions
from tests.oracle.conftest import Examine


def test_lists_of_traces_and_spans_show_what_was_sent(examine: Examine) -> None:
    examine(trace_questions.list_traces, trace_questions.list_spans)


def test_a_trace_shows_what_was_sent(examine: Examine) -> None:
    examine(trace_questions.get_trace, trace_questions.list_trace_spans)
