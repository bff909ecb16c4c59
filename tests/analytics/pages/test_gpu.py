"""The page of a GPU and of a card: what it is, what it measured, who held it, what ran on it, and what it costs."""

import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from analytics.pages.bills import period_of
from analytics.pages.formats import NOTHING
from analytics.pages.window import Window
from analytics.times import NS_PER_MINUTE, format_time
from registry.mirror import mirror_registry
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext, Tenant
from registry.times import to_nanoseconds
from tests.analytics.pages.conftest import Part
from tests.analytics.pages.hardware import CARD, FULL, H100, ONE, SLICE, TWO, WHOLE, Held
from tests.analytics.pages.tables import links_of, rows_of, text_of
from tests.otlp import SECOND_NS
from tests.registry.conftest import clickhouse_away  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db

HOUR_NS = 3600 * SECOND_NS
# a whole hour, some hours ago
HOUR = (time.time_ns() // HOUR_NS - 5) * HOUR_NS
RANGE = {"start": format_time(HOUR), "end": format_time(HOUR + HOUR_NS)}
CARRIED = f"start={RANGE['start'].replace(':', '%3A')}&end={RANGE['end'].replace(':', '%3A')}"
READ = {"utilization": 40.0, "memory_used_gb": 30.0, "power_watts": 250, "temperature_celsius": 61, "clock_mhz": 1755}
ON_ONE = SLICE | READ | {"resource_uuid": ONE}
ON_TWO = SLICE | READ | {"resource_uuid": TWO, "utilization": 80.0, "memory_used_gb": 10.0, "power_watts": 150}


@pytest.fixture
def part(part: Part) -> Part:
    """Ask for a page, or a part of it, of the hour where nothing else is said."""
    return lambda path, **query: part(path, **{**RANGE, **query})


@pytest.fixture
def hour(held: Held, share_out: Callable[[], None]) -> str:
    """Have two models on one slice and one on the other, 12, 6 and 3 minutes of the hour; return the slowest trace."""
    slowest = held(HOUR + 600 * SECOND_NS, 720, ON_ONE, model="llama-3-70b", pod="vllm-0")
    held(HOUR + 1800 * SECOND_NS, 360, ON_ONE | {"utilization": 60.0}, model="qwen-3", pod="vllm-0")
    held(HOUR + 600 * SECOND_NS, 180, ON_TWO, model="llama-3-70b", pod="vllm-1")
    share_out()
    PhysicalGPU.objects.update(cost_per_hour_usd="4.0", set_memory_total_gb=100)
    mirror_registry()
    return slowest


@pytest.mark.usefixtures("hour")
def test_the_head_tells_what_it_is_and_leads_to_its_card_node_traces_and_correction(client: Client) -> None:
    Node.objects.update(driver_version="570.86.15", cuda_version="12.8", machine_type="p5.48xlarge", zone="us-east-1a")
    ComputeResource.objects.filter(uuid=ONE).update(labels={"team": "search"})
    page = client.get(f"/gpus/{ONE}", RANGE).content.decode()
    text, links = text_of(page), links_of(page)

    for told in (
        f"{H100} mig_3g.40gb",
        "MIG profile 3g.40gb",
        "Driver, CUDA 570.86.15, 12.8",
        "Machine p5.48xlarge us-east-1a",
        "Memory 40 GiB",
        "Price per hour $1.60 40.0% of its card's",
        "team=search",
    ):
        assert told in text
    assert f'data-copies="{ONE}"' in page
    assert links[CARD] == f"/physical-gpus/{CARD}?{CARRIED}"
    assert links["dgx-1"] == f"/gpus?{CARRIED}&node_id=dgx-1"
    assert links["Its traces"] == f"/traces?{CARRIED}&resource_uuid={ONE}"
    pk = ComputeResource.objects.get(uuid=ONE).pk
    assert links["Correct it in the registry"] == f"/admin/registry/computeresource/{pk}/change/"


@pytest.mark.usefixtures("hour")
def test_a_retired_one_and_one_in_conflict_say_so(client: Client) -> None:
    ComputeResource.objects.filter(uuid=ONE).update(
        retired_at=timezone.now(), retired_by="layout", set_memory_total_gb=39.5
    )
    text = text_of(client.get(f"/gpus/{ONE}", RANGE).content.decode())

    assert "retired conflict: memory_total_gb" in text
    assert "its card was partitioned anew" in text


@pytest.mark.usefixtures("hour")
def test_the_page_of_a_card_that_is_only_sliced_is_found_by_the_address_of_a_gpu(client: Client) -> None:
    answer = client.get(f"/gpus/{CARD}", {"range": "24h"})

    assert answer.status_code == 302
    assert answer["Location"] == f"/physical-gpus/{CARD}?range=24h"


@pytest.mark.parametrize("path", ["/gpus/GPU-none", "/physical-gpus/GPU-none", "/gpus/GPU-%00", "/physical-gpus/%00"])
def test_an_unknown_one_is_a_404_that_says_what_to_do(client: Client, clickhouse: object, path: str) -> None:
    del clickhouse
    answer = client.get(path)

    assert answer.status_code == 404
    assert "Search the list of GPUs for a part of it" in answer.content.decode()


def test_a_uuid_with_slashes_has_a_page_and_parts(held: Held, client: Client, part: Part) -> None:
    uuid = "MIG-GPU-5f2c/1/0"
    held(HOUR, 60, ON_ONE | {"resource_uuid": uuid})

    assert f"/gpu/numbers/{uuid}" in client.get(f"/gpus/{uuid}").content.decode()
    assert "40%" in part(f"/gpu/numbers/{uuid}")


def charts(page: str) -> dict[str, dict[int, float]]:
    """Return the values of each chart by the minute of the hour that they are of; what is none is left out."""
    found = {}
    for slug, text in re.findall(
        r'<figure class="chart panel" id="(\w+)".*?<script type="application/json">(.*?)</script>', page, re.DOTALL
    ):
        data = json.loads(text)
        (line,) = data["lines"]
        found[slug] = {
            round((edge - HOUR // 10**6) / 60_000, 2): value
            for edge, value in zip(data["edges"], line["values"], strict=False)
            if value
        }
    return found


@pytest.mark.usefixtures("hour")
def test_the_charts_show_readings_where_there_are_any_and_the_active_spans(part: Part) -> None:
    page = part(f"/gpu/numbers/{ONE}")

    drawn = charts(page)
    # readings are of the end of a span: after 22 and after 36 minutes
    assert drawn["utilization"] == {22: 40.0, 36: 60.0}
    assert drawn["memory"] == {22: 30.0, 36: 30.0}
    assert drawn["power"] == {22: 250.0, 36: 250.0}
    assert drawn["temperature"] == {22: 61.0, 36: 61.0}
    halves = [minute / 2 for minute in (*range(20, 45), *range(60, 73))]
    assert drawn["spans"] == dict.fromkeys(halves, 1)
    data = json.loads(re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)[1])
    assert (data["unit"], data["highest"]) == ("gib", 40.0)


@pytest.mark.usefixtures("hour")
def test_the_charts_of_a_card_are_of_all_its_slices(part: Part) -> None:
    drawn = charts(part(f"/card/numbers/{CARD}"))

    assert drawn["utilization"] == {13: 80.0, 22: 40.0, 36: 60.0}
    assert drawn["spans"][11] == 2


def test_now_is_told_by_tiles(held: Held, part: Part) -> None:
    held(time.time_ns() - 2 * SECOND_NS, 1, ON_ONE, ON_TWO)

    text = text_of(part(f"/gpu/numbers/{ONE}"))
    assert text.startswith(
        "Readings State in use a span ran just now Utilisation 40% read just now Memory used 30 GiB of 40 GiB "
        "Power 250 W drawn Temperature 61 °C clock 1,755 MHz"
    )
    PhysicalGPU.objects.update(set_memory_total_gb=100)
    text = text_of(part(f"/card/numbers/{CARD}"))
    assert "Utilisation 60% read just now Memory used 40 GiB of 100 GiB Power 400 W" in text


def test_of_a_card_the_last_moment_of_its_slices_is_told(held: Held, part: Part) -> None:
    now_ns = time.time_ns()
    held(now_ns - 3600 * SECOND_NS, 1, ON_TWO)
    held(now_ns - 930 * SECOND_NS, 1, ON_ONE)

    text = text_of(part(f"/card/numbers/{CARD}"))
    assert "State idle no span for 5 min, last 15 minutes ago Utilisation 40% read 15 minutes ago" in text
    assert "Memory used 30 GiB" in text


def test_what_ran_no_span_for_long_is_idle(held: Held, part: Part) -> None:
    held(time.time_ns() - 930 * SECOND_NS, 1, ON_ONE)

    assert "State idle no span for 5 min, last 15 minutes ago" in text_of(part(f"/gpu/numbers/{ONE}"))


def at(minutes: float) -> datetime:
    return datetime.fromtimestamp(HOUR / 10**9 + 60 * minutes, UTC)


def bars(page: str) -> list[tuple[float, float, bool]]:
    """Return where each bar begins, how wide it is, in percent, and whether somebody saw the holder there."""
    found = re.findall(r'<rect x="([\d.]+)%" width="([\d.]+)%"[^>]*?( class="unseen-since")?/>', page)
    return [(float(left), float(width), not unseen) for left, width, unseen in found]


@pytest.fixture
def resource(clickhouse: object) -> ComputeResource:
    del clickhouse
    tenant = Tenant.objects.get_or_create(slug="default")[0]
    card = PhysicalGPU.objects.create(tenant=tenant, uuid=CARD)
    return ComputeResource.objects.create(tenant=tenant, uuid=ONE, set_physical=card)


def test_who_held_it_is_drawn_over_the_range_and_stands_in_a_table(resource: ComputeResource, part: Part) -> None:
    def context(pod: str, since: float, until: float | None, **more: object) -> None:
        detached_at = None if until is None else at(until)
        ResourceContext.objects.create(
            resource=resource, user_label="cuda:0", pod=pod, attached_at=at(since), detached_at=detached_at, **more
        )

    context("before", -30, -10)
    context("first", -30, 15)
    context("second", 15, 30)
    context("second", 45, 51)
    context("last", 54, None, last_seen=at(57))
    context("after", 70, 80)
    page = part(f"/gpu/holders/{ONE}")

    assert [row[0] for row in rows_of(page)[1:]] == ["cuda:0 last", "cuda:0 second", "cuda:0 first"]
    assert bars(page) == [(90, 5, True), (95, 5, False), (75, 10, True), (25, 25, True), (0, 25, True)]
    assert rows_of(page)[1][3].endswith("another came")
    assert rows_of(page)[2][3].count("an operator ended it") == 2
    assert f"{at(45):%Y-%m-%d %H:%M:%S} {at(15):%Y-%m-%d %H:%M:%S}" in rows_of(page)[2][2]


def test_who_holds_it_still_is_drawn_fainter_since_it_was_seen_last(resource: ComputeResource, part: Part) -> None:
    now = timezone.now()
    since, seen = now - timedelta(minutes=30), now - timedelta(minutes=6)
    ResourceContext.objects.create(resource=resource, user_label="cuda:0", attached_at=since, last_seen=seen)
    end_ns = to_nanoseconds(now)
    page = part(f"/gpu/holders/{ONE}", start=format_time(end_ns - HOUR_NS), end=format_time(end_ns))

    assert bars(page) == [(50, 40, True), (90, 10, False)]
    assert rows_of(page)[1][3] == "holds it still seen 6 minutes ago"


def test_how_a_context_ended_is_told(held: Held, part: Part) -> None:
    held(HOUR + 60 * SECOND_NS, 1, ON_ONE, pod="a")
    held(HOUR + 120 * SECOND_NS, 1, ON_ONE, pod="b")
    page = part(f"/gpu/holders/{ONE}")

    ends = {row[0]: row[3] for row in rows_of(page)[1:]}
    assert ends["cuda:0 a host-1"].endswith("another came")
    assert ends["cuda:0 b host-1"].endswith("fell silent")


@pytest.mark.usefixtures("hour")
def test_the_holders_of_a_card_are_those_of_its_slices(part: Part) -> None:
    page = part(f"/card/holders/{CARD}")

    held_by_pod = {row[0]: row[1] for row in rows_of(page)[1:]}
    assert held_by_pod == {"cuda:0 vllm-0 host-1": ONE, "cuda:0 vllm-1 host-1": TWO}
    assert links_of(page)[TWO] == f"/gpus/{TWO}?{CARRIED}"


@pytest.mark.usefixtures("hour")
def test_the_bill_adds_up_to_price_times_hours(part: Part) -> None:
    page = part(f"/gpu/bill/{ONE}")

    # a slice of 40 of 100 GiB of a card of $4.00
    assert rows_of(page) == [
        ["Held by spans of", "Time", "Share", "Cost"],
        ["llama-3-70b", "12 min", "20.0%", "$0.320"],
        ["qwen-3", "6 min", "10.0%", "$0.160"],
        ["Idle", "42 min", "70.0%", "$1.12"],
        ["Total", "1 h", "30.0% busy", "$1.60"],
    ]
    assert links_of(page)["qwen-3"] == f"/traces?{CARRIED}&resource_uuid={ONE}&model_name=qwen-3"


@pytest.mark.usefixtures("hour")
def test_spans_that_held_it_together_share_its_time(held: Held, part: Part, share_out: Callable[[], None]) -> None:
    held(HOUR + 600 * SECOND_NS, 720, ON_ONE, model="qwen-3", pod="vllm-0")
    share_out()

    times = {row[0]: row[1] for row in rows_of(part(f"/gpu/bill/{ONE}"))}
    assert times == {
        "Held by spans of": "Time",
        "qwen-3": "12 min",
        "llama-3-70b": "6 min",
        "Idle": "42 min",
        "Total": "1 h",
    }


@pytest.mark.usefixtures("hour")
def test_without_a_price_the_bill_leads_to_where_it_is_set(part: Part) -> None:
    PhysicalGPU.objects.update(cost_per_hour_usd=None)
    page = part(f"/gpu/bill/{ONE}")

    assert rows_of(page)[-1] == ["Total", "1 h", "30.0% busy", NOTHING]
    pk = ComputeResource.objects.get(uuid=ONE).pk
    assert links_of(page)["set it in the registry"] == f"/admin/registry/computeresource/{pk}/change/"


@pytest.mark.usefixtures("hour")
def test_the_bill_of_a_card_is_its_slices_and_what_is_no_slices(part: Part) -> None:
    page = part(f"/card/bill/{CARD}")

    assert rows_of(page) == [
        ["GPU", "Per hour", "Busy", "Busy cost", "Idle cost", "Total"],
        [f"mig_3g.40gb {ONE}", "$1.60", "30.0%", "$0.480", "$1.12", "$1.60"],
        [f"mig_3g.40gb {TWO}", "$1.60", "5.0%", "$0.0800", "$1.52", "$1.60"],
        ["What of the card is no slice's", "$0.800"],
        ["Total", "$4.00"],
    ]


@pytest.mark.usefixtures("hour")
def test_a_slice_that_is_retired_costs_only_what_it_was_held(part: Part) -> None:
    ComputeResource.objects.filter(uuid=TWO).update(retired_at=timezone.now(), retired_by="operator")

    assert rows_of(part(f"/card/bill/{CARD}"))[2:] == [
        [f"mig_3g.40gb {TWO} retired", "$1.60", "100%", "$0.0800", "$0.00", "$0.0800"],
        ["What of the card is no slice's", "$2.32"],
        ["Total", "$4.00"],
    ]


def test_of_the_present_minute_all_that_was_held_counts() -> None:
    now_ns = time.time_ns()
    on = period_of(Window(now_ns - HOUR_NS, now_ns, "1h"))
    past = period_of(Window(HOUR + 1, HOUR + SECOND_NS + 1, ""))

    assert (on.held_until_ns % NS_PER_MINUTE, on.held_until_ns >= now_ns) == (0, True)
    assert (on.range_ns, past.held_until_ns) == (HOUR_NS, HOUR + SECOND_NS + 1)


def test_a_time_to_come_is_not_billed(held: Held, part: Part) -> None:
    held(time.time_ns() - 2 * SECOND_NS, 1, FULL)
    ends = format_time(time.time_ns() + 30 * HOUR_NS)

    hours = rows_of(part(f"/gpu/bill/{WHOLE}", start=format_time(HOUR), end=ends))[-1][1]
    assert hours.startswith(("5 h", "6 h"))


@pytest.mark.usefixtures("hour")
def test_the_models_and_the_slowest_requests_are_those_that_ran_on_it(hour: str, part: Part) -> None:
    models = part(f"/gpu/models/{ONE}")
    assert [(row[0], row[1], row[3]) for row in rows_of(models)[1:]] == [
        ("llama-3-70b", "1", "12 min"),
        ("qwen-3", "1", "6 min"),
    ]
    assert [row[1] for row in rows_of(part(f"/card/models/{CARD}"))[1:]] == ["2", "1"]
    slowest = part(f"/gpu/slowest/{ONE}")
    assert [row[1] for row in rows_of(slowest)[1:]] == ["12 min", "6 min"]
    assert rows_of(slowest)[1][2] == "$0.320"
    assert hour in links_of(slowest)["chat"]
    assert links_of(slowest)["All of 2, slowest first"] == (
        f"/traces?{CARRIED}&resource_uuid={ONE}&order_by=-duration_ms"
    )
    assert len(rows_of(part(f"/card/slowest/{CARD}"))) == 4


@pytest.mark.usefixtures("hour")
def test_the_other_slices_of_its_card_stand_below(part: Part) -> None:
    rows = rows_of(part(f"/gpu/siblings/{ONE}"))

    assert [row[0] for row in rows[1:]] == [f"mig_3g.40gb {TWO}"]
    assert rows[1][7:10] == ["5.0%", "$0.0800", "$1.60"]
    assert len(rows_of(part(f"/card/siblings/{CARD}"))) == 3


def test_what_no_span_named_yet_has_a_page(resource: ComputeResource, client: Client, part: Part) -> None:
    del resource
    assert f"First seen {NOTHING}" in text_of(client.get(f"/gpus/{ONE}").content.decode())
    for name in ("numbers", "holders", "bill", "models", "slowest", "siblings"):
        part(f"/gpu/{name}/{ONE}")
        part(f"/card/{name}/{CARD}")
    assert "State not seen no span named it yet" in text_of(part(f"/gpu/numbers/{ONE}"))
    assert "Nobody is known to have held it in this range" in part(f"/gpu/holders/{ONE}")
    assert "No request of this range ran on it" in part(f"/gpu/slowest/{ONE}")


@pytest.mark.usefixtures("hour")
def test_another_tenant_sees_none_of_it(held: Held, client: Client, part: Part) -> None:
    held(HOUR, 60, FULL, tenant="vision-lab", model="secret")

    assert client.get(f"/gpus/{WHOLE}").status_code == 404
    for name in ("numbers", "bill"):
        part(f"/gpu/{name}/{WHOLE}", code=404)
    for name in ("holders", "models", "slowest"):
        assert "secret" not in part(f"/gpu/{name}/{WHOLE}")


@pytest.mark.usefixtures("hour")
def test_the_number_of_statements_and_queries_is_known(
    part: Part, queries: list[str], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    pages = {
        f"/gpus/{ONE}": (1, 0),
        f"/physical-gpus/{CARD}": (1, 0),
        f"/gpu/numbers/{ONE}": (1, 2),
        f"/gpu/holders/{ONE}": (1, 0),
        f"/gpu/bill/{ONE}": (1, 2),
        f"/gpu/models/{ONE}": (0, 2),
        f"/gpu/slowest/{ONE}": (0, 3),
        f"/gpu/siblings/{ONE}": (3, 2),
        f"/card/numbers/{CARD}": (3, 2),
        f"/card/holders/{CARD}": (1, 0),
        f"/card/bill/{CARD}": (2, 2),
        f"/card/siblings/{CARD}": (2, 2),
    }
    for path, (statements, asked) in pages.items():
        queries.clear()
        with django_assert_num_queries(statements):
            part(path)
        assert len(queries) == asked, path


@pytest.mark.usefixtures("hour")
def test_while_clickhouse_is_away_the_head_and_the_holders_are_there(
    client: Client, part: Part, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("clickhouse_away")

    assert H100 in client.get(f"/gpus/{ONE}").content.decode()
    assert "vllm-0" in part(f"/gpu/holders/{ONE}")
    assert "Not available for now" in part(f"/gpu/numbers/{ONE}", code=503)


def test_a_wrong_parameter_is_told(client: Client) -> None:
    answer = client.get(f"/gpus/{ONE}", {"model_name": "x"})

    assert answer.status_code == 400
    assert "<code>model_name</code>" in answer.content.decode()
