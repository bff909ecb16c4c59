"""GET /gpus/{resource_uuid}/metrics: the readings of one resource and the spans that held it, by buckets of time."""

import time
from typing import Any

import pytest

from analytics.queries.gpu_metrics import MAX_POINTS, default_step_seconds, point_count
from analytics.times import format_time
from tests.analytics.conftest import Get, wrong
from tests.conftest import Ingest
from tests.otlp import MILLISECOND_NS, SECOND_NS, gpu, request, span

UUID = "MIG-8b1f4c52-6a0e-5d3b-b7c9-1e2f3a4b5c6d"
MINUTE_NS = 60 * SECOND_NS
DAY_NS = 1440 * MINUTE_NS
# A whole minute, two hours ago.
T0 = (time.time_ns() - 120 * MINUTE_NS) // MINUTE_NS * MINUTE_NS
READINGS = ("utilization", "memory_used_gb", "memory_total_gb", "temperature_celsius", "power_watts", "clock_mhz")


class Chart:
    """Sends spans that held the resource, and asks for its series, both by seconds after T0."""

    def __init__(self, ingest: Ingest, get: Get) -> None:
        self.ingest = ingest
        self.get = get

    def held(self, start_s: float, end_s: float, uuid: str = UUID, **readings: object) -> None:
        start_ns, end_ns = (T0 + round(seconds * SECOND_NS) for seconds in (start_s, end_s))
        attributes = gpu(0, resource_uuid=uuid, **readings)
        self.ingest(request(span(start_ns=start_ns, duration_ns=end_ns - start_ns, attributes=attributes)))

    def ask(self, start_s: float, end_s: float, **parameters: object) -> list[dict[str, Any]]:
        start, end = (format_time(T0 + round(seconds * SECOND_NS)) for seconds in (start_s, end_s))
        answer = self.get(f"/gpus/{UUID}/metrics", start=start, end=end, **parameters)
        points: list[dict[str, Any]] = answer["metrics"]
        return points

    def seconds(self, point: dict[str, Any]) -> int:
        """Return the seconds from T0 to the point's timestamp, by its text."""
        return next(s for s in range(-3600, 7200) if format_time(T0 + s * SECOND_NS) == point["timestamp"])

    def shown(self, points: list[dict[str, Any]], name: str = "utilization") -> dict[int, tuple[float | None, int]]:
        """Return by bucket the value of a reading, and how many spans were active."""
        return {self.seconds(point): (point[name], point["active_spans"]) for point in points}


@pytest.fixture
def chart(ingest: Ingest, get: Get) -> Chart:
    return Chart(ingest, get)


def test_a_point_tells_all_readings_of_its_bucket(chart: Chart) -> None:
    readings: dict[str, Any] = dict(zip(READINGS, (50.0, 20.5, 40.0, 61.0, 300.0, 1500.0), strict=True))
    chart.held(10, 12, **readings)

    answer = chart.get(f"/gpus/{UUID}/metrics", start=format_time(T0), end=format_time(T0 + MINUTE_NS), step=60)
    assert answer == {
        "metrics": [{"timestamp": format_time(T0), "resource_uuid": UUID, "active_spans": 1, **readings}],
        "resource_uuid": UUID,
        "start": format_time(T0),
        "end": format_time(T0 + MINUTE_NS),
        "step": 60,
    }


@pytest.mark.parametrize(("aggregate", "expected"), [("avg", 30.0), ("max", 50.0), ("min", 10.0), ("last", 20.0)])
def test_readings_of_one_bucket_are_aggregated(chart: Chart, aggregate: str, expected: float) -> None:
    chart.held(1, 10, utilization=50.0)
    chart.held(1, 30, utilization=20.0)
    chart.held(1, 20, utilization=10.0)
    chart.held(1, 40, utilization=40.0, uuid="MIG-other")

    if aggregate == "avg":
        chart.held(1, 25, utilization=40.0)
    (point,) = chart.ask(0, 60, step=60, aggregate=aggregate)
    assert point["utilization"] == expected


def test_the_average_is_the_default(chart: Chart) -> None:
    chart.held(1, 10, utilization=50.0)
    chart.held(1, 20, utilization=10.0)

    (point,) = chart.ask(0, 60, step=60)
    assert point["utilization"] == 30.0


def test_buckets_are_aligned_and_only_those_with_something_come(chart: Chart) -> None:
    chart.held(12, 13, utilization=1.0)
    chart.held(47, 48, utilization=2.0)

    assert chart.shown(chart.ask(5, 60, step=10)) == {10: (1.0, 1), 40: (2.0, 1)}


def test_a_span_is_active_in_every_bucket_in_which_it_held_the_resource(chart: Chart) -> None:
    chart.held(5, 45, utilization=80.0)
    chart.held(12, 18, utilization=60.0)
    chart.held(22, 32, utilization=40.0)

    assert chart.shown(chart.ask(0, 60, step=10)) == {
        0: (None, 1),
        10: (60.0, 2),
        20: (None, 2),
        30: (40.0, 2),
        40: (80.0, 1),
    }


def test_a_span_that_names_the_resource_twice_is_one_active_span(chart: Chart) -> None:
    twice = gpu(0, resource_uuid=UUID, utilization=40.0) | gpu(1, resource_uuid=UUID, utilization=60.0)
    chart.ingest(request(span(start_ns=T0, duration_ns=SECOND_NS, attributes=twice)))
    assert chart.shown(chart.ask(0, 60, step=60)) == {0: (50.0, 1)}


def test_a_span_that_ends_where_a_bucket_begins_is_active_in_it(chart: Chart) -> None:
    chart.held(5, 10, utilization=80.0)

    assert chart.shown(chart.ask(0, 60, step=10)) == {0: (None, 1), 10: (80.0, 1)}


def test_a_span_without_duration_is_active_in_its_bucket(chart: Chart) -> None:
    chart.held(5, 5, utilization=80.0)

    assert chart.shown(chart.ask(0, 60, step=10)) == {0: (80.0, 1)}


def test_start_is_included_and_end_is_not(chart: Chart) -> None:
    chart.held(9, 10, utilization=1.0)
    chart.held(19, 20, utilization=2.0)

    assert chart.shown(chart.ask(10, 20, step=5)) == {10: (1.0, 1), 15: (None, 1)}


def test_a_span_that_reaches_over_the_range_is_active_in_all_of_it(chart: Chart) -> None:
    chart.held(-100, 500, utilization=90.0)

    assert chart.shown(chart.ask(0, 30, step=10)) == {0: (None, 1), 10: (None, 1), 20: (None, 1)}


def test_a_bucket_that_the_range_cuts_counts_only_what_is_within(chart: Chart) -> None:
    chart.held(1, 2, utilization=1.0)
    chart.held(6, 7, utilization=2.0)

    assert chart.shown(chart.ask(5, 10, step=10)) == {0: (2.0, 1)}


def test_unknown_readings_are_null_and_the_span_still_counts(chart: Chart) -> None:
    zeros: dict[str, Any] = dict.fromkeys(
        ("utilization", "memory_used_gb", "temperature_celsius", "power_watts", "clock_mhz"), 0
    )
    chart.held(1, 2, **zeros, memory_total_gb=9.75)

    (point,) = chart.ask(0, 60, step=60)
    assert {name: point[name] for name in zeros} == dict.fromkeys(zeros)
    assert (point["memory_total_gb"], point["active_spans"]) == (9.75, 1)


@pytest.mark.parametrize("aggregate", ["avg", "max", "min", "last"])
def test_a_bucket_in_which_no_span_ends_has_no_readings(chart: Chart, aggregate: str) -> None:
    chart.held(5, 65, utilization=50.0, memory_used_gb=4.0)

    for start_s in (0, 20, 40):
        (point,) = chart.ask(start_s, start_s + 20, step=20, aggregate=aggregate)
        assert [point[name] for name in READINGS] == [None] * len(READINGS)
        assert point["active_spans"] == 1


def test_a_reading_that_is_no_number_spoils_no_bucket(chart: Chart) -> None:
    chart.held(1, 2, utilization=50.0, power_watts=float("inf"))
    chart.held(1, 3, utilization=float("nan"))

    for aggregate in ("avg", "max", "min", "last"):
        (point,) = chart.ask(0, 60, step=60, aggregate=aggregate)
        assert (point["utilization"], point["power_watts"], point["active_spans"]) == (50.0, None, 2)


@pytest.mark.parametrize("uuid", ["GPU-unknown", "GPU-%00", "GPU'; --"])
def test_an_unknown_gpu_has_no_points(get: Get, clickhouse: object, uuid: str) -> None:
    del clickhouse
    assert get(f"/gpus/{uuid}/metrics")["metrics"] == []


def test_the_default_is_the_last_hour(ingest: Ingest, get: Get) -> None:
    now_ns = time.time_ns()
    for age_minutes, uuid in ((30, UUID), (61, UUID)):
        attributes = gpu(0, resource_uuid=uuid, utilization=float(age_minutes))
        ingest(request(span(start_ns=now_ns - age_minutes * MINUTE_NS, attributes=attributes)))

    answer = get(f"/gpus/{UUID}/metrics")
    assert [point["utilization"] for point in answer["metrics"]] == [30.0]
    assert answer["step"] == 5
    one_hour = get(f"/gpus/{UUID}/metrics", end=format_time(T0))
    assert (one_hour["start"], one_hour["end"]) == (format_time(T0 - 60 * MINUTE_NS), format_time(T0))


def test_an_empty_range_has_no_points(chart: Chart) -> None:
    chart.held(-1, 1)

    assert chart.ask(0, 0) == []


def test_one_query_answers(chart: Chart, queries: list[str]) -> None:
    chart.held(1, 2)
    queries.clear()

    chart.ask(0, 60)
    assert len(queries) == 1


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"step": 0}, {"step"}),
        ({"step": -5}, {"step"}),
        ({"step": "1.5"}, {"step"}),
        ({"step": 10**9}, {"step"}),
        ({"aggregate": "median"}, {"aggregate"}),
        ({"start": "x"}, {"start"}),
        ({"end": "x"}, {"end"}),
        ({"start": format_time(T0), "end": format_time(T0 - 1)}, {"end"}),
        ({"start": format_time(T0 + DAY_NS)}, {"start"}),
        ({"bucket": 10}, {"bucket"}),
        ({"limit": 10}, {"limit"}),
        ({"start": format_time(T0 - DAY_NS), "step": 1}, {"step"}),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(get: Get, parameters: dict[str, object], named: set[str]) -> None:
    assert wrong(get(f"/gpus/{UUID}/metrics", parameters, status=400)) == named


def test_as_many_points_as_may_come_do(get: Get, clickhouse: object) -> None:
    del clickhouse
    range_ns = MAX_POINTS * SECOND_NS
    assert get(f"/gpus/{UUID}/metrics", start=format_time(T0 - range_ns), end=format_time(T0), step=1)["metrics"] == []
    too_long = format_time(T0 - range_ns - MILLISECOND_NS)
    assert wrong(get(f"/gpus/{UUID}/metrics", start=too_long, end=format_time(T0), step=1, status=400)) == {"step"}


@pytest.mark.parametrize(
    ("range_ns", "step_seconds"),
    [
        (1, 1),
        (999 * SECOND_NS, 1),
        (60 * MINUTE_NS, 5),
        (DAY_NS, 120),
        (7 * DAY_NS, 900),
        (30 * DAY_NS, 3600),
        (999 * DAY_NS, 86_400),
        (100_000 * DAY_NS, 101 * 86_400),
    ],
)
def test_the_default_step_brings_at_most_a_thousand_points(range_ns: int, step_seconds: int) -> None:
    for start_ns in (0, 1, 17 * SECOND_NS, -DAY_NS + 1):
        assert default_step_seconds(start_ns, start_ns + range_ns) == step_seconds
        assert point_count(start_ns, start_ns + range_ns, step_seconds) <= 1000
