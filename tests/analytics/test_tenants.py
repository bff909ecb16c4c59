"""What one tenant's key shows of another's data, at each address: nothing, also where both have the same ids."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from clickhouse_connect.driver import Client as ClickHouse
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from registry.mirror import mirror_registry
from registry.models import ComputeResource, Node, PhysicalGPU
from registry.sync import sync_registry
from tests.conftest import Ingest
from tests.keys import bearer, make_key
from tests.otlp import ERROR, MILLISECOND_NS, SECOND_NS, gpu, request, span

pytestmark = pytest.mark.django_db

SHARED_TRACE = b"\x55" * 16
SHARED_CARD = "GPU-55555555"


@dataclass(frozen=True)
class Side:
    """A tenant, what only it has, and what tells its rows of the shared ids from the other's."""

    tenant: str
    trace: bytes
    card: str
    service: str
    utilization: float
    spans: int
    duration_ms: int

    def ask(self, address: str, parameters: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        """Ask with a key of the tenant, from another machine."""
        return self.answer(200, address, {**(parameters or {}), **more})

    def miss(self, address: str) -> dict[str, Any]:
        """Ask for what must be a 404."""
        return self.answer(404, address, {})

    def answer(self, status: int, address: str, parameters: dict[str, Any]) -> dict[str, Any]:
        key = make_key(self.tenant)
        answer = Client().get(f"/api/v1{address}", parameters, headers=bearer(key), REMOTE_ADDR="203.0.113.7")
        assert answer.status_code == status, answer.content
        body: dict[str, Any] = answer.json()
        return body

    def send_to(self, method: str, address: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Change something with a key of the tenant; return the status and the answer, if any."""
        key = bearer(make_key(self.tenant, scopes=["admin"]))
        answer: Any = Client().generic(
            method.upper(),
            f"/api/v1{address}",
            json.dumps(body),
            content_type="application/json",
            headers=key,
            REMOTE_ADDR="203.0.113.7",
        )
        return answer.status_code, answer.json() if answer.content else {}

    def send(self, ingest: Ingest, trace: bytes, card: str, start_ns: int) -> None:
        """Send a trace whose spans all ran on a card and on a slice of it."""
        spans = [
            span(
                f"{self.tenant} span",
                trace_id=trace,
                start_ns=start_ns,
                duration_ns=self.duration_ms * MILLISECOND_NS,
                status=ERROR,
                attributes={
                    "gen_ai.request.model": f"{self.tenant}-model",
                    "gen_ai.usage.input_tokens": 10,
                    "secret.of": self.tenant,
                    **self.attribution(0, card, card),
                    **self.attribution(1, f"{card}-slice", card),
                },
            )
            for _ in range(self.spans)
        ]
        (verdict,) = ingest(request(*spans, resource={"service.name": self.service}), tenant=self.tenant)
        assert verdict.accepted_spans == self.spans

    def attribution(self, number: int, uuid: str, card: str) -> dict[str, object]:
        return gpu(
            number,
            resource_uuid=uuid,
            physical_uuid=card,
            node_id=f"{self.tenant}-node",
            user_label=f"{self.tenant}-label",
            utilization=self.utilization,
        )


ALPHA = Side("alpha", b"\xaa" * 16, "GPU-aaaaaaaa", "alpha-api", 11.0, spans=1, duration_ms=100)
BETA = Side("beta", b"\xbb" * 16, "GPU-bbbbbbbb", "beta-api", 77.0, spans=3, duration_ms=900)
BOTH = pytest.mark.parametrize(("mine", "other"), [(ALPHA, BETA), (BETA, ALPHA)], ids=["alpha", "beta"])


@pytest.fixture(autouse=True)
def both_sides(ingest: Ingest) -> None:
    """Each tenant has a trace and a card of its own, and one of the same id and at the same time as the other's."""
    start_ns = time.time_ns() - 10 * SECOND_NS
    for side in (ALPHA, BETA):
        side.send(ingest, side.trace, side.card, start_ns)
        side.send(ingest, SHARED_TRACE, SHARED_CARD, start_ns)
    assert sync_registry()


def says_nothing_of(other: Side, answer: dict[str, Any]) -> bool:
    """Tell whether nothing that only the other tenant has or sent is anywhere in an answer."""
    text = str(answer)
    return other.tenant not in text and other.trace.hex() not in text and other.card not in text


@BOTH
def test_the_list_of_traces_has_only_mine(mine: Side, other: Side) -> None:
    answer = mine.ask("/traces")
    assert {trace["trace_id"] for trace in answer["traces"]} == {mine.trace.hex(), SHARED_TRACE.hex()}
    assert answer["total"] == 2
    for trace in answer["traces"]:
        assert (trace["service_name"], trace["span_count"], trace["gpu_count"]) == (mine.service, mine.spans, 2)
        assert (trace["error_count"], trace["tokens_input"]) == (mine.spans, 10 * mine.spans)
        assert (trace["duration_ms"], trace["gpu_time_ms"]) == (mine.duration_ms, 2 * mine.duration_ms)
    assert says_nothing_of(other, answer)


@BOTH
@pytest.mark.parametrize(
    "chosen",
    [
        lambda other: {"service_name": other.service},
        lambda other: {"name": f"{other.tenant} span"},
        lambda other: {"model_name": f"{other.tenant}-model"},
        lambda other: {"resource_uuid": other.card},
        lambda other: {"physical_uuid": other.card},
        lambda other: {"node_id": f"{other.tenant}-node"},
        lambda other: {"attr.secret.of": other.tenant},
    ],
    ids=["service", "name", "model", "resource", "card", "node", "attribute"],
)
def test_no_filter_of_traces_finds_what_is_not_mine(
    mine: Side, other: Side, chosen: Callable[[Side], dict[str, str]]
) -> None:
    assert mine.ask("/traces", chosen(other))["total"] == 0
    assert mine.ask("/traces", chosen(mine))["total"] > 0


@BOTH
def test_a_cursor_of_another_tenant_goes_on_in_my_list(mine: Side, other: Side) -> None:
    cursor = other.ask("/traces", limit=1)["next"]
    assert says_nothing_of(other, mine.ask("/traces", limit=1, cursor=cursor))


@BOTH
def test_a_trace_of_another_tenant_is_not_found_and_one_of_the_same_id_is_mine(mine: Side, other: Side) -> None:
    missing = mine.miss("/traces/" + "0" * 32)
    assert mine.miss(f"/traces/{other.trace.hex()}") == missing

    answer = mine.ask(f"/traces/{SHARED_TRACE.hex()}")
    assert answer["gpu_time_ms"] == 2 * mine.duration_ms
    assert (answer["span_count"], len(answer["spans"]), answer["service_name"]) == (
        mine.spans,
        mine.spans,
        mine.service,
    )
    for each in answer["spans"]:
        assert each["attributes"]["secret.of"] == mine.tenant
        assert [one["utilization"] for one in each["gpus"]] == [mine.utilization] * 2
        assert each["resource"]["service.name"] == mine.service
    assert says_nothing_of(other, answer)


@BOTH
def test_the_spans_of_a_trace_are_mine(mine: Side, other: Side) -> None:
    assert mine.miss(f"/traces/{other.trace.hex()}/spans")["errors"][0]["code"] == "not_found"

    answer = mine.ask(f"/traces/{SHARED_TRACE.hex()}/spans")
    assert (answer["total"], len(answer["spans"])) == (mine.spans, mine.spans)
    assert {each["name"] for each in answer["spans"]} == {f"{mine.tenant} span"}
    assert says_nothing_of(other, answer)
    filtered = mine.ask(f"/traces/{SHARED_TRACE.hex()}/spans", service_name=other.service)
    assert (filtered["total"], filtered["spans"]) == (0, [])


@BOTH
def test_the_list_of_spans_has_only_mine(mine: Side, other: Side) -> None:
    answer = mine.ask("/spans")
    assert (answer["total"], len(answer["spans"])) == (2 * mine.spans, 2 * mine.spans)
    assert {each["trace_id"] for each in answer["spans"]} == {mine.trace.hex(), SHARED_TRACE.hex()}
    assert {(each["depth"], each["self_time_ms"]) for each in answer["spans"]} == {(0, mine.duration_ms)}
    assert says_nothing_of(other, answer)
    for chosen in ({"service_name": other.service}, {"resource_uuid": other.card}, {"attr.secret.of": other.tenant}):
        assert mine.ask("/spans", chosen)["total"] == 0
    cursor = other.ask("/spans", limit=1)["next"]
    assert says_nothing_of(other, mine.ask("/spans", limit=1, cursor=cursor))


@BOTH
def test_the_list_of_gpus_has_only_mine(mine: Side, other: Side) -> None:
    answer = mine.ask("/gpus")
    cards = (mine.card, SHARED_CARD)
    assert {one["resource_uuid"] for one in answer["gpus"]} == {
        f"{card}{end}" for card in cards for end in ("", "-slice")
    }
    assert answer["total"] == 4
    for one in answer["gpus"]:
        assert (one["utilization"], one["node_id"]) == (mine.utilization, f"{mine.tenant}-node")
        assert one["user_labels"] == [f"{mine.tenant}-label"]
    assert says_nothing_of(other, answer)
    for chosen in ({"physical_uuid": other.card}, {"node_id": f"{other.tenant}-node"}, {"q": other.tenant}):
        assert mine.ask("/gpus", chosen)["total"] == 0


@BOTH
def test_a_gpu_of_another_tenant_is_not_found_and_one_of_the_same_id_is_mine(mine: Side, other: Side) -> None:
    missing = mine.miss("/gpus/GPU-00000000")
    assert mine.miss(f"/gpus/{other.card}") == missing

    answer = mine.ask(f"/gpus/{SHARED_CARD}")
    assert (answer["utilization"], answer["node_id"]) == (mine.utilization, f"{mine.tenant}-node")
    assert [context["user_label"] for context in answer["contexts"]] == [f"{mine.tenant}-label"]
    assert [one["resource_uuid"] for one in answer["siblings"]] == [f"{SHARED_CARD}-slice"]
    assert [one["utilization"] for one in answer["siblings"]] == [mine.utilization]
    assert says_nothing_of(other, answer)


@BOTH
def test_the_metrics_of_another_tenants_gpu_are_empty_and_those_of_the_same_id_mine(mine: Side, other: Side) -> None:
    assert mine.ask(f"/gpus/{other.card}/metrics")["metrics"] == []

    answer = mine.ask(f"/gpus/{SHARED_CARD}/metrics", step=3600)
    assert {point["utilization"] for point in answer["metrics"] if point["utilization"]} == {mine.utilization}
    assert max(point["active_spans"] for point in answer["metrics"]) == mine.spans
    assert says_nothing_of(other, answer)


@BOTH
def test_the_metrics_of_another_tenants_card_are_empty_and_those_of_the_same_id_mine(mine: Side, other: Side) -> None:
    assert mine.ask(f"/physical-gpus/{other.card}/metrics")["metrics"] == []

    answer = mine.ask(f"/physical-gpus/{SHARED_CARD}/metrics", step=3600)
    assert {point["utilization"] for point in answer["metrics"] if point["utilization"]} == {mine.utilization}
    assert max(point["active_spans"] for point in answer["metrics"]) == 2 * mine.spans, "on the card and on its slice"
    assert says_nothing_of(other, answer)


@BOTH
def test_the_registrys_lists_have_only_mine(mine: Side, other: Side) -> None:
    cards, resources = mine.ask("/physical-gpus"), mine.ask("/compute-resources")
    contexts = mine.ask("/resource-contexts")
    assert {one["uuid"] for one in cards["physical_gpus"]} == {mine.card, SHARED_CARD}
    assert {one["physical_uuid"] for one in resources["compute_resources"]} == {mine.card, SHARED_CARD}
    assert {one["user_label"] for one in contexts["resource_contexts"]} == {f"{mine.tenant}-label"}
    assert (cards["total"], resources["total"], contexts["total"]) == (2, 4, 4)
    assert all(says_nothing_of(other, answer) for answer in (cards, resources, contexts))
    for address in ("/physical-gpus", "/compute-resources"):
        assert mine.ask(address, uuid=other.card)["total"] == 0
        assert mine.ask(address, q=other.tenant)["total"] == 0
    for filters in ({"resource_uuid": other.card}, {"physical_uuid": other.card}, {"label": f"{other.tenant}-label"}):
        assert mine.ask("/resource-contexts", filters)["total"] == 0


def everything_of(side: Side) -> list[dict[str, Any]]:
    return [side.ask(address) for address in ("/physical-gpus", "/compute-resources", "/resource-contexts")]


@BOTH
def test_nothing_of_another_tenant_is_read_changed_or_deleted(mine: Side, other: Side) -> None:
    before = everything_of(other)
    (context,) = mine.ask("/resource-contexts", resource_uuid=mine.card)["resource_contexts"]
    missing = mine.miss("/resource-contexts/0")
    for address, fields in (
        (f"/physical-gpus/{other.card}", {"uuid": other.card, "model": "changed"}),
        (f"/compute-resources/{other.card}", {"uuid": other.card, "resource_type": "changed"}),
        (f"/resource-contexts/{theirs(other)}", context | {"pod": "changed"}),
    ):
        assert mine.miss(address)["errors"][0]["code"] == missing["errors"][0]["code"]
        for method in ("put", "patch", "delete"):
            assert mine.send_to(method, address, fields)[0] == 404
    assert everything_of(other) == before


def theirs(side: Side) -> int:
    """Return the id of one of a tenant's contexts."""
    number: int = side.ask("/resource-contexts", resource_uuid=side.card)["resource_contexts"][0]["id"]
    return number


@BOTH
def test_what_belongs_to_another_tenant_is_named_like_what_is_not_there(mine: Side, other: Side) -> None:
    before = everything_of(mine)
    for address, fields, name in (
        ("/compute-resources", {"uuid": "new"}, "physical_uuid"),
        ("/resource-contexts", {"attached_at": "2026-02-07T10:00:00Z"}, "resource_uuid"),
    ):
        for method, to in (("post", address), ("patch", f"{address}/{mine.card if name[0] == 'p' else theirs(mine)}")):
            if method == "patch":
                fields.pop("uuid", None)
            answers = [mine.send_to(method, to, fields | {name: uuid}) for uuid in (other.card, "GPU-00000000")]
            assert answers[0] == answers[1]
            status, answer = answers[0]
            assert (status, [error["attr"] for error in answer["errors"]]) == (400, [name])
    assert everything_of(mine) == before


@BOTH
def test_a_change_of_what_both_have_is_a_change_of_mine(mine: Side, other: Side) -> None:
    before = everything_of(other)
    assert mine.send_to("patch", f"/physical-gpus/{SHARED_CARD}", {"model": "changed"})[0] == 200
    assert mine.send_to("delete", f"/compute-resources/{SHARED_CARD}-slice", {})[0] == 204
    assert mine.send_to("post", "/physical-gpus", {"uuid": other.card})[0] == 201, "each tenant has its own"
    assert mine.ask(f"/physical-gpus/{SHARED_CARD}")["model"] == "changed"
    mine.miss(f"/compute-resources/{SHARED_CARD}-slice")
    assert everything_of(other) == before


@BOTH
def test_the_overview_counts_only_mine(mine: Side, other: Side) -> None:
    answer = mine.ask("/analytics/overview")
    assert (answer["total_traces"], answer["total_spans"], answer["active_gpu_count"]) == (2, 2 * mine.spans, 4)
    assert answer["tokens_input"] == 20 * mine.spans
    assert sum(point["count"] for point in answer["throughput_series"]) == 2
    assert answer["avg_latency_ms"] == mine.duration_ms
    for chosen in ({"service_name": other.service}, {"resource_uuid": other.card}, {"node_id": f"{other.tenant}-node"}):
        assert mine.ask("/analytics/overview", chosen)["total_traces"] == 0


@BOTH
def test_latency_and_throughput_are_of_mine_only(mine: Side, other: Side) -> None:
    # each ran on a card and on a slice of it, one of them on the card that both tenants have
    for group_by, groups in (({}, 1), ({"group_by": "name"}, 1), ({"group_by": "resource_uuid"}, 2)):
        for of, count in (("trace", 2), ("span", 2 * mine.spans)):
            answer = mine.ask("/analytics/latency", group_by, of=of)
            assert answer["summary"]["count"] == count
            assert answer["summary"]["min_ms"] == answer["summary"]["max_ms"] == mine.duration_ms
            assert sum(point["count"] for point in answer["series"]) == count * groups
            assert says_nothing_of(other, answer)
        answer = mine.ask("/analytics/throughput", group_by)
        assert says_nothing_of(other, answer)
        totals = {name: sum(point[name] for point in answer["series"]) for name in ("traces", "spans", "errors")}
        assert totals == {"traces": 2 * groups, "spans": 2 * mine.spans * groups, "errors": 2 * mine.spans * groups}
    for chosen in ({"service_name": other.service}, {"resource_uuid": other.card}, {"node_id": f"{other.tenant}-node"}):
        assert mine.ask("/analytics/latency", chosen)["summary"]["count"] == 0
        assert mine.ask("/analytics/latency", chosen, group_by="name", of="span")["series"] == []
        assert mine.ask("/analytics/throughput", chosen, group_by="name")["series"] == []


@BOTH
def test_services_models_and_gpus_in_use_are_mine_only(mine: Side, other: Side) -> None:
    services, models, gpus = (mine.ask(f"/analytics/{what}") for what in ("services", "models", "gpus"))
    for answer in (services, models, gpus):
        assert says_nothing_of(other, answer)
    assert [(row["service_name"], row["count"]) for row in services["services"]] == [(mine.service, 2 * mine.spans)]
    assert [(row["model_name"], row["tokens_input"]) for row in models["models"]] == [
        (f"{mine.tenant}-model", 20 * mine.spans)
    ]
    assert {row["resource_uuid"] for row in gpus["gpus"]} == {
        f"{card}{end}" for card in (mine.card, SHARED_CARD) for end in ("", "-slice")
    }
    assert {(row["spans"], row["max_utilization"], row["node_id"]) for row in gpus["gpus"]} == {
        (mine.spans, mine.utilization, f"{mine.tenant}-node")
    }
    for chosen in ({"service_name": other.service}, {"resource_uuid": other.card}):
        for what in ("services", "models", "gpus"):
            assert mine.ask(f"/analytics/{what}", chosen)["total"] == 0


def test_a_correction_of_one_tenants_card_shows_in_no_other(
    clickhouse: ClickHouse, client: Client, ingest: Ingest
) -> None:
    bare = span(trace_id=b"\x66" * 16, attributes=gpu(0, resource_uuid="MIG-66666666"))
    for tenant in ("alpha", "beta"):
        ingest(request(bare), tenant=tenant)
    sync_registry()
    client.force_login(User.objects.create_superuser("ops"))
    forms = {
        "alpha": {"model": "H200", "vendor": "NVIDIA", "node_id": "node-of-alpha", "cost_per_hour_usd": "4.5"},
        "beta": {"model": "MI300X", "vendor": "AMD", "node_id": "node-of-beta", "cost_per_hour_usd": ""},
    }
    slices = {f"compute_resources-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}
    for tenant, form in forms.items():
        card = PhysicalGPU.objects.get(tenant__slug=tenant, uuid=SHARED_CARD)
        address = reverse("admin:registry_physicalgpu_change", args=[card.pk])
        node = Node.objects.create(tenant=card.tenant, name=form["node_id"])
        sent = {"set_model": form["model"], "set_vendor": form["vendor"], "set_node": node.pk, "labels": "{}"}
        sent["cost_per_hour_usd"] = form["cost_per_hour_usd"]
        assert client.post(address, sent | slices).status_code == 302
        ComputeResource.objects.filter(tenant__slug=tenant, uuid="MIG-66666666").update(set_physical=card)
    mirror_registry()

    sql = "SELECT tenant, model, node_id FROM dictionary('registry') WHERE resource_uuid = 'MIG-66666666'"
    assert sorted(tuple(row) for row in clickhouse.query(sql).result_rows) == [
        ("alpha", "H200", "node-of-alpha"),
        ("beta", "MI300X", "node-of-beta"),
    ]
    for side, other, price in ((ALPHA, "node-of-beta", 4.5), (BETA, "node-of-alpha", None)):
        said = {name: forms[side.tenant][name] for name in ("model", "vendor", "node_id")}
        listed = {one["resource_uuid"]: one for one in side.ask("/gpus")["gpus"]}
        for one in (listed["MIG-66666666"], listed[SHARED_CARD], side.ask("/gpus/MIG-66666666")):
            assert {name: one[name] for name in said} == said
            # nobody told what part of the card the slice is
            assert one["cost_per_hour_usd"] == (price if one["resource_uuid"] == SHARED_CARD else None)
        whole, page = side.ask(f"/traces/{'66' * 16}"), side.ask(f"/traces/{'66' * 16}/spans")
        for each in whole["spans"] + page["spans"]:
            (one,) = each["gpus"]
            assert ({name: one[name] for name in said}, one["physical_uuid"]) == (said, SHARED_CARD)
        # that of the slice, and the one that ran on the card itself and said another node
        assert side.ask("/traces", node_id=said["node_id"])["total"] == 2
        assert side.ask("/analytics/overview", node_id=said["node_id"])["total_traces"] == 2
        assert side.ask("/gpus", node_id=said["node_id"])["total"] == 3  # the card, its slice and the bare one
        assert side.ask("/traces", node_id=other)["total"] == 0
        assert side.ask("/analytics/overview", node_id=other)["total_traces"] == 0
        assert side.ask("/gpus", node_id=other)["total"] == 0


def test_a_session_of_staff_and_this_machine_see_the_default_tenant(client: Client, ingest: Ingest) -> None:
    ingest(request(span("mine")))
    local = client.get("/api/v1/traces").json()
    client.force_login(User.objects.create_user("ops", is_staff=True))
    staff = client.get("/api/v1/traces", REMOTE_ADDR="203.0.113.7").json()
    for answer in (local, staff):
        assert [trace["root_span_name"] for trace in answer["traces"]] == ["mine"]
