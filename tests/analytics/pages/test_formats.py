"""Numbers and times as people read them; the browser writes the same on its axes (test_overview_browser.py)."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from analytics.pages import formats

DURATIONS = [
    (None, formats.NOTHING),
    (0, "0 ns"),
    (999, "999 ns"),
    (1_500, "1.5 µs"),
    (812_000_000, "812 ms"),
    (1_873_400_000, "1.87 s"),
    (37_250_000_000, "37.3 s"),
    (59_400_000_000, "59.4 s"),
    (59_600_000_000, "1 min"),
    (125_000_000_000, "2 min 5 s"),
    (3_600_000_000_000, "1 h"),
    (3_661_000_000_000, "1 h 1 min"),
    (200_000_000_000_000, "2 d 7 h"),
]


@pytest.mark.parametrize(("nanoseconds", "text"), DURATIONS)
def test_durations(nanoseconds: int | None, text: str) -> None:
    assert formats.duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, formats.NOTHING),
        (0, "0"),
        (7, "7"),
        (0.25, "0.25"),
        (0.0034, "0.0034"),
        (88_102, "88,102"),
        (1_234_567, "1.23 M"),
        (2.5e9, "2.5 G"),
    ],
)
def test_counts(number: float | None, text: str) -> None:
    assert formats.count(number) == text


@pytest.mark.parametrize(("per_second", "text"), [(0, "0/h"), (3 / 3600, "3/h"), (0.05, "3/min"), (12, "12/s")])
def test_rates_are_told_in_a_unit_that_one_can_imagine(per_second: float, text: str) -> None:
    assert formats.rate(per_second) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [(None, formats.NOTHING), (0, "0%"), (0.0004, "<0.1%"), (0.012, "1.2%"), (0.9996, "100.0%"), (1, "100%")],
)
def test_shares(part: float | None, text: str) -> None:
    assert formats.share(part) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (None, formats.NOTHING),
        (Decimal(0), "$0.00"),
        (Decimal("0.000213"), "$0.000213"),
        (Decimal("0.2134"), "$0.213"),
        (Decimal("2.5"), "$2.50"),
        (Decimal("12.404"), "$12.40"),
        (Decimal("1234567.891"), "$1,234,567.89"),
        (0.25, "$0.250"),
    ],
)
def test_money(usd: Decimal | float | None, text: str) -> None:
    assert formats.money(usd) == text


def test_nanoseconds_become_times_of_utc() -> None:
    assert formats.aware(1_770_458_400_123_456_789) == datetime(2026, 2, 7, 10, 0, 0, 123_456, tzinfo=UTC)
    assert formats.aware(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
