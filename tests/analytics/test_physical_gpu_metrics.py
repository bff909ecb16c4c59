"""GET /physical-gpus/{uuid}/metrics: the readings of a card's slices together, by buckets of time."""

import time
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from analytics.queries.gpu_metrics import MAX_POINTS
from analytics.times import format_time
from registry.sync import sync_registry
from tests.analytics.conftest import Get, Write, wrong
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clickhouse", "queue")]

CARD = "GPU-5f2c1a9e"
MINUTE_NS = 60 * SECOND_NS
# A whole minute, two hours ago.
T0 = (time.time_ns() - 120 * MINUTE_NS) // MINUTE_NS * MINUTE_NS
READINGS = ("utilization", "memory_used_gb", "memory_total_gb", "temperature_celsius", "power_watts", "clock_mhz")


class Chart:
    """Sends spans that held slices, and asks for the card's series, both by seconds after T0."""

    def __init__(self, ingest: Ingest, get: Get) -> None:
        self.ingest = ingest
        self.get = get

    def held(self, uuid: str, start_s: float, end_s: float, *, card: str = CARD, **readings: object) -> None:
        said = {"physical_uuid": card} if card else {}
        self.send(start_s, end_s, gpu(0, resource_uuid=uuid, **said, **readings))

    def send(self, start_s: float, end_s: float, attributes: dict[str, object]) -> None:
        start_ns, end_ns = (T0 + round(seconds * SECOND_NS) for seconds in (start_s, end_s))
        self.ingest(request(span(start_ns=start_ns, duration_ns=end_ns - start_ns, attributes=attributes)))

    def ask(self, start_s: float, end_s: float, uuid: str = CARD, **parameters: object) -> list[dict[str, Any]]:
        start, end = (format_time(T0 + round(seconds * SECOND_NS)) for seconds in (start_s, end_s))
        answer = self.get(f"/physical-gpus/{uuid}/metrics", start=start, end=end, **parameters)
        points: list[dict[str, Any]] = answer["metrics"]
        return points

    def shown(self, points: list[dict[str, Any]], name: str = "utilization") -> dict[int, tuple[float | None, int]]:
        """Return by bucket, in seconds from T0, the value of a reading, and how many spans were active."""
        seconds = {format_time(T0 + s * SECOND_NS): s for s in range(-3600, 7200)}
        return {seconds[point["timestamp"]]: (point[name], point["active_spans"]) for point in points}


@pytest.fixture
def chart(ingest: Ingest, get: Get) -> Chart:
    return Chart(ingest, get)


def test_sizes_and_power_of_the_slices_are_summed_up_and_the_rest_averaged(chart: Chart) -> None:
    one: dict[str, Any] = dict(zip(READINGS, (50.0, 20.5, 40.0, 60.0, 300.0, 1500.0), strict=True))
    two: dict[str, Any] = dict(zip(READINGS, (20.0, 3.0, 9.75, 70.0, 100.0, 1200.0), strict=True))
    chart.held("MIG-1", 1, 10, **one)
    chart.held("MIG-2", 2, 20, **two)
    chart.held("MIG-9", 2, 20, card="GPU-other", utilization=99.0)

    path = f"/physical-gpus/{CARD}/metrics"
    answer = chart.get(path, start=format_time(T0), end=format_time(T0 + MINUTE_NS), step=60)
    together = dict(zip(READINGS, (35.0, 23.5, 49.75, 65.0, 400.0, 1350.0), strict=True))
    assert answer == {
        "metrics": [{"timestamp": format_time(T0), "resource_uuid": CARD, "active_spans": 2, **together}],
        "physical_uuid": CARD,
        "start": format_time(T0),
        "end": format_time(T0 + MINUTE_NS),
        "step": 60,
    }


@pytest.mark.parametrize(
    ("aggregate", "utilization", "power"),
    [("avg", 40.0, 250.0), ("max", 55.0, 350.0), ("min", 30.0, 150.0), ("last", 35.0, 150.0)],
)
def test_the_readings_of_each_slice_become_one_first(
    chart: Chart, aggregate: str, utilization: float, power: float
) -> None:
    chart.held("MIG-1", 1, 10, utilization=30.0, power_watts=200)
    chart.held("MIG-1", 1, 20, utilization=20.0, power_watts=100)
    chart.held("MIG-1", 1, 15, utilization=10.0, power_watts=300)
    chart.held("MIG-1", 1, 16, utilization=60.0, power_watts=200)
    chart.held("MIG-2", 1, 10, utilization=50.0, power_watts=50)

    (point,) = chart.ask(0, 60, step=60, aggregate=aggregate)
    assert (point["utilization"], point["power_watts"]) == (utilization, power)
    if aggregate == "avg":
        assert chart.ask(0, 60, step=60) == [point], "the default"


def test_a_slice_without_a_reading_counts_for_nothing(chart: Chart) -> None:
    chart.held("MIG-1", 1, 10, utilization=50.0, memory_used_gb=4.0)
    chart.held("MIG-2", 1, 10, utilization=float("nan"), power_watts=float("inf"))

    (point,) = chart.ask(0, 60, step=60)
    shown = (point["utilization"], point["memory_used_gb"], point["power_watts"], point["active_spans"])
    assert shown == (50.0, 4.0, None, 2)


def test_spans_of_all_slices_are_counted_also_where_they_only_go_on(chart: Chart) -> None:
    chart.held("MIG-1", 5, 45, utilization=80.0)
    chart.held("MIG-2", 12, 18, utilization=60.0)
    chart.held("MIG-2", 41, 48, utilization=40.0)

    assert chart.shown(chart.ask(0, 60, step=10)) == {
        0: (None, 1),
        10: (60.0, 2),
        20: (None, 1),
        30: (None, 1),
        40: (60.0, 2),
    }


def test_a_span_on_two_slices_counts_twice(chart: Chart) -> None:
    both = gpu(0, resource_uuid="MIG-1", physical_uuid=CARD) | gpu(1, resource_uuid="MIG-2", physical_uuid=CARD)
    chart.send(1, 2, both)

    assert chart.shown(chart.ask(0, 60, step=60)) == {0: (None, 2)}


def test_a_full_card_is_its_own_slice(chart: Chart) -> None:
    chart.held(CARD, 1, 2, utilization=70.0)

    assert chart.shown(chart.ask(0, 60, step=60)) == {0: (70.0, 1)}


def test_where_spans_name_no_card_the_registry_does(chart: Chart, write: Write) -> None:
    chart.held("MIG-1", 1, 2, card="", utilization=70.0)
    chart.held("MIG-2", 1, 2, card="", utilization=10.0)
    assert chart.ask(0, 60, step=60) == []

    write("post", "/physical-gpus", uuid=CARD)
    write("post", "/compute-resources", uuid="MIG-1", physical_uuid=CARD)
    assert chart.shown(chart.ask(0, 60, step=60)) == {0: (70.0, 1)}


def test_a_slice_is_on_the_card_that_its_span_names_and_on_no_other(chart: Chart, write: Write) -> None:
    chart.held("MIG-1", 1, 2, card="GPU-old", utilization=70.0)
    chart.held("MIG-1", 21, 22, utilization=30.0)
    for card in (CARD, "GPU-old"):
        write("post", "/physical-gpus", uuid=card)
    write("post", "/compute-resources", uuid="MIG-1", physical_uuid=CARD)

    assert chart.shown(chart.ask(0, 60, step=10)) == {20: (30.0, 1)}
    assert chart.shown(chart.ask(0, 60, "GPU-old", step=10)) == {0: (70.0, 1)}


def test_what_the_card_itself_has_read_counts_and_its_slices_no_more(chart: Chart) -> None:
    chart.held(CARD, 1, 10, utilization=70.0, memory_used_gb=30.0, memory_total_gb=80.0)
    chart.held("MIG-1", 1, 10, utilization=10.0, memory_used_gb=20.0, memory_total_gb=40.0, power_watts=90)

    (point,) = chart.ask(0, 60, step=60)
    assert (point["utilization"], point["memory_used_gb"], point["memory_total_gb"]) == (70.0, 30.0, 80.0)
    assert (point["power_watts"], point["active_spans"]) == (90.0, 2)


def test_compute_instances_share_the_memory_of_their_gpu_instance(chart: Chart, write: Write) -> None:
    write("post", "/physical-gpus", uuid=CARD)
    for uuid, instance in (("MIG-1", 1), ("MIG-2", 1), ("MIG-3", 2)):
        write("post", "/compute-resources", uuid=uuid, physical_uuid=CARD, gi_id=instance)
        chart.held(uuid, 1, 10, memory_used_gb=5.0, memory_total_gb=40.0)

    (point,) = chart.ask(0, 60, step=60)
    assert (point["memory_used_gb"], point["memory_total_gb"], point["active_spans"]) == (10.0, 80.0, 3)


def test_a_bucket_in_which_a_card_was_partitioned_anew_shows_the_new_layout(chart: Chart) -> None:
    for number in range(2):
        chart.held(f"MIG-old-{number}", 1, 10, resource_type="mig_3g.40gb", memory_total_gb=40.0)
    for number in range(7):
        chart.held(f"MIG-new-{number}", 20, 30, resource_type="mig_1g.10gb", memory_total_gb=10.0)
    sync_registry()

    assert chart.shown(chart.ask(0, 60, step=60), "memory_total_gb") == {0: (70.0, 9)}
    assert chart.shown(chart.ask(0, 60, step=10), "memory_total_gb")[10] == (80.0, 2), "before it, the old one"


@pytest.mark.parametrize("uuid", ["GPU-unknown", "GPU-%00", "GPU'; --", "a/b"])
def test_an_unknown_card_has_no_points(get: Get, uuid: str) -> None:
    assert get(f"/physical-gpus/{uuid}/metrics")["metrics"] == []


def test_a_card_that_no_span_ran_on_has_no_points(get: Get, write: Write) -> None:
    write("post", "/physical-gpus", uuid=CARD)
    assert get(f"/physical-gpus/{CARD}/metrics")["metrics"] == []


def test_the_default_is_the_last_hour(chart: Chart, get: Get) -> None:
    minutes_ago = (time.time_ns() - T0) // MINUTE_NS
    for age, utilization in ((30, 30.0), (61, 61.0)):
        at_s = 60 * (minutes_ago - age)
        chart.held("MIG-1", at_s, at_s + 1, utilization=utilization)

    answer = get(f"/physical-gpus/{CARD}/metrics")
    assert [point["utilization"] for point in answer["metrics"]] == [30.0]
    assert answer["step"] == 5


def test_an_empty_range_has_no_points(chart: Chart) -> None:
    chart.held("MIG-1", -1, 1)

    assert chart.ask(0, 0) == []


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"step": 0}, {"step"}),
        ({"aggregate": "median"}, {"aggregate"}),
        ({"start": "x", "end": "y"}, {"start", "end"}),
        ({"start": format_time(T0 - (MAX_POINTS + 1) * SECOND_NS), "end": format_time(T0), "step": 1}, {"step"}),
        ({"limit": 10}, {"limit"}),
    ],
    ids=str,
)
def test_a_wrong_parameter_is_named(get: Get, parameters: dict[str, object], named: set[str]) -> None:
    assert wrong(get(f"/physical-gpus/{CARD}/metrics", parameters, status=400)) == named


@pytest.mark.parametrize("slices", [1, 7])
def test_one_query_and_one_statement_answer_however_many_slices_there_are(
    chart: Chart, queries: list[str], django_assert_num_queries: DjangoAssertNumQueries, slices: int
) -> None:
    for number in range(slices):
        chart.held(f"MIG-{number}", 1, 2)
    queries.clear()

    with django_assert_num_queries(1):
        assert chart.shown(chart.ask(0, 60, step=60)) == {0: (None, slices)}
    assert len(queries) == 1
