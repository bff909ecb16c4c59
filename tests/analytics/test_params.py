"""Query parameters, as far as no engine is needed: times, strictness, cursors."""

from typing import Any

import pytest
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from analytics.params import MillisecondsField, PageParameters, TextField, TimeField, page_of
from analytics.times import NS_PER_SECOND, format_time, parse_time

TEN = 1770458400 * NS_PER_SECOND  # 2026-02-07T10:00:00Z


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-02-07T10:00:00Z", TEN),
        ("2026-02-07t10:00:00z", TEN),
        ("2026-02-07 10:00:00Z", TEN),
        ("2026-02-07T10:00:00.5Z", TEN + NS_PER_SECOND // 2),
        ("2026-02-07T10:00:00.123456789Z", TEN + 123_456_789),
        ("2026-02-07T10:00:00.1234567899Z", TEN + 123_456_789),
        ("2026-02-07T19:00:00+09:00", TEN),
        ("2026-02-07T04:30:00.000000001-05:30", TEN + 1),
        ("2026-02-07T10:00:00-00:00", TEN),
        ("2026-02-07T19:00:00 09:00", TEN),  # a plus sign that was not percent-encoded
        ("2016-12-31T23:59:60Z", 1483228800 * NS_PER_SECOND),  # a leap second
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2262-04-11T23:47:16Z", 9223372036 * NS_PER_SECOND),
    ],
)
def test_a_time_of_any_offset_and_precision_is_understood(text: str, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-02-07",
        "2026-02-07T10:00:00",
        "2026-02-07T10:00Z",
        "1770458400",
        "2026-02-30T10:00:00Z",
        "2026-02-07T24:00:00Z",
        "2026-02-07T10:00:61Z",
        "2026-02-07T10:00:00+25:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+09:00",
        "1899-12-31T23:59:59Z",
        "2262-04-12T00:00:00Z",
        "9999-12-31T23:59:60Z",
        "2026-02-07T10:00:00Z\n",
        "\uff12026-02-07T10:00:00Z",
    ],
)
def test_what_is_no_time_that_can_be_stored_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        parse_time(text)


@pytest.mark.parametrize("nanoseconds", [0, -1, TEN + 123_456_789, TEN, 9223372036 * NS_PER_SECOND])
def test_a_time_has_nine_digits_and_reads_back(nanoseconds: int) -> None:
    text = format_time(nanoseconds)
    assert len(text) == len("2026-02-07T10:00:00.123456789Z")
    assert text.endswith("Z")
    assert parse_time(text) == nanoseconds


class Parameters(PageParameters):
    has_attributes = True

    start = TimeField(required=False)
    end = TimeField(required=False)
    min_duration_ms = MillisecondsField(required=False)
    max_duration_ms = MillisecondsField(required=False)
    name = TextField()
    order_by = serializers.ChoiceField(["a", "b"], default="a")


def asked(query: str, path: str = "/x") -> Request:
    return Request(APIRequestFactory().get(f"{path}?{query}"))


def read(query: str) -> dict[str, Any]:
    return Parameters.read(asked(query))


def test_absent_parameters_have_their_defaults_or_are_absent() -> None:
    assert read("") == {"limit": 50, "order_by": "a", "attributes": ()}


def test_durations_are_exact_to_the_nanosecond() -> None:
    assert read("min_duration_ms=0.000001&max_duration_ms=1234567890.123456")["min_duration_ms"] == 1
    assert read("max_duration_ms=1234567890.123456")["max_duration_ms"] == 1_234_567_890_123_456


def test_attributes_keep_their_keys_and_may_repeat() -> None:
    assert read("attr.a.b=1&attr.c==x&attr.a.b=2")["attributes"] == (("a.b", "1"), ("a.b", "2"), ("c", "=x"))


def test_texts_are_compared_as_they_stand() -> None:
    assert read("name=%20a%20")["name"] == " a "


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("limit=0", {"limit"}),
        ("limit=1001", {"limit"}),
        ("limit=ten", {"limit"}),
        ("limit=", {"limit"}),
        ("limit=1&limit=2", {"limit"}),
        ("offset=-1", {"offset"}),
        ("offset=1000001", {"offset"}),
        ("offset=99999999999999999999999", {"offset"}),
        ("cursor=x&offset=1", {"offset"}),
        ("cursor=", {"cursor"}),
        ("unknown=1", {"unknown"}),
        ("start=yesterday", {"start"}),
        ("start=2026-02-07T10:00:00Z&end=2026-02-07T09:00:00Z", {"end"}),
        ("min_duration_ms=-1", {"min_duration_ms"}),
        ("min_duration_ms=NaN", {"min_duration_ms"}),
        ("min_duration_ms=1e3", {"min_duration_ms"}),
        ("min_duration_ms=99999999999999999", {"min_duration_ms"}),
        ("min_duration_ms=2&max_duration_ms=1", {"max_duration_ms"}),
        ("name=", {"name"}),
        ("name=a%00b", {"name"}),
        ("name=" + "x" * 1025, {"name"}),
        ("order_by=c", {"order_by"}),
        ("attr.=x", {"attr."}),
        ("attr.a=%00", {"attr.a"}),
        ("attr.a=" + "x" * 1025, {"attr.a"}),
        ("&".join(f"attr.k{number}=1" for number in range(21)), {"attr.k20"}),
        ("limit=0&unknown=1&start=x&attr.=", {"limit", "unknown", "start", "attr."}),
    ],
)
def test_a_wrong_parameter_is_named(query: str, names: set[str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        read(query)
    assert isinstance(refusal.value.detail, dict)
    assert set(refusal.value.detail) == names


def next_cursor(query: str, path: str = "/x") -> str:
    request = asked(query, path)
    return page_of(request, Parameters.read(request)).next([TEN, "ab"])


def test_a_cursor_goes_on_where_the_page_ended() -> None:
    cursor = next_cursor("limit=5&offset=10&name=a")
    request = asked(f"limit=7&name=a&cursor={cursor}")
    page = page_of(request, Parameters.read(request))
    assert (page.limit, page.offset, page.skip, page.after) == (7, 15, 0, (TEN, "ab"))


def test_defaults_written_out_are_the_same_question() -> None:
    request = asked(f"order_by=a&cursor={next_cursor('')}")
    assert page_of(request, Parameters.read(request)).after == (TEN, "ab")


@pytest.mark.parametrize(
    "query",
    [
        "name=b&cursor={}",
        "name=a&order_by=b&cursor={}",
        "cursor={}",
        "name=a&attr.k=v&cursor={}",
        "name=a&cursor=x{}",
        "name=a&cursor=é",
    ],
)
def test_a_cursor_of_another_question_is_refused(query: str) -> None:
    request = asked(query.format(next_cursor("name=a")))
    with pytest.raises(ValidationError) as refusal:
        page_of(request, Parameters.read(request))
    assert isinstance(refusal.value.detail, dict)
    assert set(refusal.value.detail) == {"cursor"}


def test_a_cursor_of_another_list_is_refused() -> None:
    request = asked(f"cursor={next_cursor('', path='/y')}")
    with pytest.raises(ValidationError):
        page_of(request, Parameters.read(request))
