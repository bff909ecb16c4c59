"""Each row and each trap of docs/conventions.md, through the real engine."""

import math
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver import Client
from django.test import Client as DjangoClient

from axonize.clickhouse.migrator import SCHEMA_DIR
from tests.conftest import Ingest
from tests.otlp import MILLISECOND_NS, gpu, request, span

DOCS = Path(__file__).parents[2] / "docs" / "conventions.md"
MAPPING = SCHEMA_DIR / "0077_otlp_to_mapped_spans.sql"

pytestmark = pytest.mark.usefixtures("kept_mapped_spans")

MIG = "MIG-2c7b4b7e-8e5a-5f0e-9f0b-2d1f6f0a9c11"
CARD = "GPU-5f3c2a1e-0b7d-4c1e-8a55-6f1d2e3c4b5a"


def columns_of(ingest: Ingest, clickhouse: Client, attributes: dict[str, object], **fields: Any) -> dict[str, Any]:
    """Send one span with these attributes and return its row of `mapped_spans`."""
    resource = fields.pop("resource", None)
    sent = span(attributes=attributes, **fields)
    ingest(request(sent, resource=resource))
    rows = clickhouse.query(
        "SELECT * FROM kept_mapped_spans WHERE span_id = unhex({span_id:String})",
        parameters={"span_id": sent.span_id.hex()},
    )
    [row] = rows.named_results()
    return row


TEXT_COLUMNS = {
    "model_name": [
        "ai.model.name", "gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "embedding.model_name",
    ],
    "model_version": ["ai.model.version"],
    "provider": ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system"],
    "inference_type": ["ai.inference.type", "gen_ai.operation.name", "llm.request.type", "openinference.span.kind"],
    "request_id": ["gen_ai.response.id", "gen_ai.request.id", "rid"],
    "user_id": ["enduser.id", "user.id"],
    "session_id": ["gen_ai.conversation.id", "session.id"],
}  # fmt: skip
INTEGER_COLUMNS = {
    "tokens_input": [
        "ai.llm.tokens.input", "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt",
    ],
    "tokens_output": [
        "ai.llm.tokens.output", "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
    ],
    "tokens_cached": [
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cached_tokens",
        "llm.token_count.prompt_details.cache_read",
    ],
    "batch_size": ["ai.inference.batch_size"],
    "diffusion_steps": ["ai.diffusion.steps"],
}  # fmt: skip
NUMBER_COLUMNS = {
    "tokens_per_second": ["ai.llm.tokens_per_second"],
    "cfg_scale": ["ai.diffusion.cfg_scale"],
    "cost_usd": ["cost.usd", "cost.estimated_usd", "gen_ai.usage.cost", "llm.cost.total"],
    "energy_wh": ["cost.energy_wh"],
}
# key and factor from what a double in it means to milliseconds
MILLISECOND_COLUMNS = {
    "ttft_ms": [
        ("ai.llm.ttft_ms", 1),
        ("gen_ai.response.time_to_first_chunk", 1000),
        ("gen_ai.latency.time_to_first_token", 1000),
    ],
    "queue_ms": [("gen_ai.latency.time_in_queue", 1000)],
    "prefill_ms": [("gen_ai.latency.time_in_model_prefill", 1000)],
    "decode_ms": [("gen_ai.latency.time_in_model_decode", 1000)],
    "inference_ms": [("gen_ai.latency.time_in_model_inference", 1000)],
}
ALL_KEYS = (
    [(column, key) for column, keys in (TEXT_COLUMNS | INTEGER_COLUMNS | NUMBER_COLUMNS).items() for key in keys]
    + [(column, key) for column, keys in MILLISECOND_COLUMNS.items() for key, _ in keys]
    + [("queue_ms", "queue_time"), ("inference_ms", "inference_time")]
)


def sent_value(column: str, rank: int) -> Any:
    """Return a value of the column's usual type, another for each rank."""
    if column in TEXT_COLUMNS:
        return f"{column}-{rank}"
    return 100 + rank if column in INTEGER_COLUMNS else 0.5 + rank


@pytest.mark.parametrize("column", [*TEXT_COLUMNS, *INTEGER_COLUMNS, *NUMBER_COLUMNS])
def test_the_first_key_with_a_usable_value_fills_the_column(ingest: Ingest, clickhouse: Client, column: str) -> None:
    keys = (TEXT_COLUMNS | INTEGER_COLUMNS | NUMBER_COLUMNS)[column]
    unusable: Any = "" if column in TEXT_COLUMNS else "many"
    for rank in range(len(keys)):
        attributes = {key: sent_value(column, other) for other, key in enumerate(keys) if other >= rank}
        attributes |= {key: unusable for other, key in enumerate(keys) if other < rank}
        row = columns_of(ingest, clickhouse, attributes)
        expected = sent_value(column, rank)
        assert row[column] == (Decimal(str(expected)) if column == "cost_usd" else expected), keys[rank]


@pytest.mark.parametrize("column", MILLISECOND_COLUMNS)
def test_times_become_milliseconds_from_each_key_in_order(ingest: Ingest, clickhouse: Client, column: str) -> None:
    keys = MILLISECOND_COLUMNS[column]
    for rank, (_, factor) in enumerate(keys):
        attributes: dict[str, object] = {key: 0.25 + other for other, (key, _) in enumerate(keys) if other >= rank}
        assert columns_of(ingest, clickhouse, attributes)[column] == (0.25 + rank) * factor


@pytest.mark.parametrize("key", [key for keys in MILLISECOND_COLUMNS.values() for key, _ in keys if ".latency." in key])
def test_an_integer_latency_is_nanoseconds(ingest: Ingest, clickhouse: Client, key: str) -> None:
    [column] = [column for column, keys in MILLISECOND_COLUMNS.items() if key in dict(keys)]
    assert columns_of(ingest, clickhouse, {key: 2_500_000})[column] == 2.5


@pytest.mark.parametrize(("column", "key"), [("queue_ms", "queue_time"), ("inference_ms", "inference_time")])
@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1.2ms", 1.2),
        ("3.4µs", 0.0034),
        ("3.4μs", 0.0034),
        ("1.5s", 1500.0),
        ("850ns", 0.00085),
        ("soon", None),
        (7, None),
    ],
)
def test_rust_durations_become_milliseconds(
    ingest: Ingest, clickhouse: Client, column: str, key: str, text: object, milliseconds: float | None
) -> None:
    value = columns_of(ingest, clickhouse, {key: text})[column]
    assert value == (None if milliseconds is None else pytest.approx(milliseconds))


def test_a_latency_key_wins_over_a_rust_duration(ingest: Ingest, clickhouse: Client) -> None:
    row = columns_of(ingest, clickhouse, {"queue_time": "9s", "gen_ai.latency.time_in_queue": 0.5})
    assert row["queue_ms"] == 500


def test_a_span_named_llm_request_is_an_llm_inference(ingest: Ingest, clickhouse: Client) -> None:
    assert columns_of(ingest, clickhouse, {}, name="llm_request")["inference_type"] == "llm"
    row = columns_of(ingest, clickhouse, {"openinference.span.kind": "CHAIN"}, name="llm_request")
    assert row["inference_type"] == "llm"
    row = columns_of(ingest, clickhouse, {"gen_ai.operation.name": "chat"}, name="llm_request")
    assert row["inference_type"] == "chat"


@pytest.mark.parametrize(
    ("value", "integer"),
    [
        (12, 12), (12.0, 12), ("12", 12), ("12.0", 12), (2**63 - 1, 2**63 - 1), (str(2**53 + 1), 2**53 + 1), (-3, -3),
        (12.5, None), ("12.5", None), ("twelve", None), ("", None), (True, None), (math.nan, None), (math.inf, None),
        (1e300, None), (b"12", None), ([12], None), ({"n": 12}, None), (None, None),
    ],
)  # fmt: skip
def test_an_integer_column_takes_what_loses_nothing(
    ingest: Ingest, clickhouse: Client, value: object, integer: int | None
) -> None:
    assert columns_of(ingest, clickhouse, {"ai.llm.tokens.input": value})["tokens_input"] == integer


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1.5, 1.5), (2, 2.0), ("1.5", 1.5), ("1e3", 1000.0), (2**53, 2.0**53), (2**53 + 1, None), ("fast", None),
        ("", None), ("nan", None), ("inf", None), (math.nan, None), (-math.inf, None), (False, None), (b"1", None),
        ([1.5], None), ({"n": 1.5}, None), (None, None),
    ],
)  # fmt: skip
def test_a_number_column_takes_what_loses_nothing(
    ingest: Ingest, clickhouse: Client, value: object, number: float | None
) -> None:
    row = columns_of(ingest, clickhouse, {"ai.diffusion.cfg_scale": value, "gen_ai.latency.time_in_queue": 1.0})
    assert row["cfg_scale"] == number


@pytest.mark.parametrize(
    ("value", "text"),
    [("llama", "llama"), (4, "4"), (1.5, "1.5"), (True, ""), (b"llama", ""), (["llama"], ""), (None, "")],
)
def test_a_text_column_takes_strings_and_numbers(ingest: Ingest, clickhouse: Client, value: object, text: str) -> None:
    assert columns_of(ingest, clickhouse, {"ai.model.name": value})["model_name"] == text


@pytest.mark.parametrize(
    "cost", ["0.0023", "1.001", "0.000000150001", "4.35", "1.1", "0.000000000001", "123456789.123456"]
)
def test_a_cost_is_the_decimal_that_was_meant(ingest: Ingest, clickhouse: Client, cost: str) -> None:
    assert columns_of(ingest, clickhouse, {"cost.usd": float(cost)})["cost_usd"] == Decimal(cost)


def test_a_cost_beyond_the_column_is_null_and_stays_an_attribute(ingest: Ingest, clickhouse: Client) -> None:
    row = columns_of(ingest, clickhouse, {"cost.usd": 1e40})
    assert row["cost_usd"] is None
    assert row["attributes_double"] == {"cost.usd": 1e40}


def test_tokens_per_second_is_derived_only_where_it_is_not_sent(ingest: Ingest, clickhouse: Client) -> None:
    known: dict[str, object] = {"ai.llm.tokens.output": 90, "ai.llm.ttft_ms": 100.0}
    second = 1000 * MILLISECOND_NS
    assert columns_of(ingest, clickhouse, known, duration_ns=second)["tokens_per_second"] == 100
    sent = known | {"ai.llm.tokens_per_second": 7.5}
    assert columns_of(ingest, clickhouse, sent, duration_ns=second)["tokens_per_second"] == 7.5
    for missing in known:
        fewer = {key: value for key, value in known.items() if key != missing}
        assert columns_of(ingest, clickhouse, fewer, duration_ns=second)["tokens_per_second"] is None
    assert columns_of(ingest, clickhouse, known, duration_ns=100 * MILLISECOND_NS)["tokens_per_second"] is None


@pytest.mark.parametrize(
    ("resource", "columns"),
    [
        ({}, {"service_name": "unknown_service", "environment": "", "pid": None}),
        ({"service.name": ""}, {"service_name": "unknown_service"}),
        ({"service.name": "chat", "service.version": "2.4"}, {"service_name": "chat", "service_version": "2.4"}),
        ({"deployment.environment": "old"}, {"environment": "old"}),
        ({"deployment.environment": "old", "deployment.environment.name": "new"}, {"environment": "new"}),
        ({"deployment.environment": "old", "deployment.environment.name": ""}, {"environment": "old"}),
        ({"host.name": "node-1", "k8s.pod.name": "chat-0"}, {"host": "node-1", "pod": "chat-0"}),
        ({"process.pid": 4711}, {"pid": 4711}),
        ({"process.pid": "4711"}, {"pid": 4711}),
        ({"process.pid": "none"}, {"pid": None}),
    ],
)
def test_the_resource_fills_its_columns(
    ingest: Ingest, clickhouse: Client, resource: dict[str, object], columns: dict[str, object]
) -> None:
    row = columns_of(ingest, clickhouse, {}, resource=resource)
    assert {name: row[name] for name in columns} == columns


def test_the_duration_is_of_the_two_timestamps(ingest: Ingest, clickhouse: Client) -> None:
    row = columns_of(ingest, clickhouse, {"axonize.duration_ms": 999.0}, duration_ns=5 * MILLISECOND_NS)
    assert row["attributes_double"] == {"axonize.duration_ms": 999.0}
    [[duration_ns]] = clickhouse.query("SELECT duration_ns FROM spans").result_rows
    assert duration_ns == 5 * MILLISECOND_NS


def gpus_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    fields = {name.removeprefix("gpus."): values for name, values in row.items() if name.startswith("gpus.")}
    return [dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)]


FULL = {
    "resource_uuid": MIG, "physical_uuid": CARD, "model": "NVIDIA H100 80GB HBM3", "vendor": "NVIDIA",
    "node_id": "gpu-node-1", "resource_type": "mig_40gb", "user_label": "cuda:0", "utilization": 75.5,
    "memory_used_gb": 20.25, "memory_total_gb": 40.0, "temperature_celsius": 65, "power_watts": 200,
    "clock_mhz": 1500,
}  # fmt: skip


def test_each_field_of_a_gpu_is_kept(ingest: Ingest, clickhouse: Client) -> None:
    row = columns_of(ingest, clickhouse, gpu(0, **FULL) | {"other": "x"})
    assert gpus_of(row) == [FULL]
    assert (row["attributes_string"], row["attributes_int"], row["attributes_double"]) == ({"other": "x"}, {}, {})


def test_a_gap_or_a_missing_field_moves_no_other_gpu(ingest: Ingest, clickhouse: Client) -> None:
    attributes: dict[str, object] = (
        gpu(10, resource_uuid="MIG-d", utilization=4.0)
        | gpu(0, resource_uuid="MIG-a", user_label="cuda:0", clock_mhz=1)
        | gpu(2, resource_uuid="MIG-b", utilization=2.0)
        | gpu(3, resource_uuid="MIG-c", user_label="cuda:3", utilization=3.0, clock_mhz=3)
    )
    gpus = gpus_of(columns_of(ingest, clickhouse, attributes))
    assert [(g["resource_uuid"], g["user_label"], g["utilization"], g["clock_mhz"]) for g in gpus] == [
        ("MIG-a", "cuda:0", None, 1),
        ("MIG-b", "", 2, None),
        ("MIG-c", "cuda:3", 3, 3),
        ("MIG-d", "", 4, None),
    ]


@pytest.mark.parametrize(
    ("sent", "filled"),
    [
        ({"resource_uuid": CARD, "physical_uuid": CARD}, {"resource_type": "full_gpu", "vendor": "NVIDIA"}),
        ({"resource_uuid": MIG, "physical_uuid": CARD}, {"resource_type": "mig", "vendor": "NVIDIA"}),
        ({"resource_uuid": MIG}, {"resource_type": "mig", "physical_uuid": None}),
        ({"resource_uuid": MIG, "resource_type": "mig_1g.10gb"}, {"resource_type": "mig_1g.10gb"}),
        ({"resource_uuid": "m2", "physical_uuid": "m2", "vendor": "Apple", "user_label": "mps:0"}, {"vendor": "Apple"}),
        ({"physical_uuid": CARD}, {"resource_uuid": CARD, "resource_type": "full_gpu"}),
        ({"utilization": 5.0}, {"resource_uuid": None, "utilization": 5}),
    ],
)
def test_what_a_gpu_leaves_out_is_filled_in(
    ingest: Ingest, client: DjangoClient, sent: dict[str, object], filled: dict[str, object]
) -> None:
    bare = span(attributes=gpu(0, **sent))
    ingest(request(bare))
    [root] = client.get(f"/api/v1/traces/{bare.trace_id.hex()}").json()["spans"]
    [attribution] = root["gpus"]
    assert {name: attribution[name] for name in filled} == filled


@pytest.mark.parametrize(
    ("field", "value", "reading"),
    [
        ("utilization", 75, 75), ("utilization", "75.5", 75.5), ("power_watts", 312.5, 312.5),
        ("clock_mhz", "1500", 1500),
        ("utilization", "high", None), ("utilization", True, None), ("utilization", math.nan, None),
        ("temperature_celsius", [65], None), ("power_watts", None, None), ("memory_used_gb", b"1", None),
    ],
)  # fmt: skip
def test_a_reading_is_taken_where_nothing_is_lost_and_is_else_an_attribute(
    ingest: Ingest, clickhouse: Client, field: str, value: object, reading: float | None
) -> None:
    row = columns_of(ingest, clickhouse, gpu(0, resource_uuid=MIG) | {f"gpu.0.{field}": value})
    [attribution] = gpus_of(row)
    assert attribution[field] == reading
    kept = [name for name in row if name.startswith("attributes_") and f"gpu.0.{field}" in row[name]]
    assert bool(kept) == (reading is None)


def test_an_unknown_field_of_a_gpu_stays_an_attribute(ingest: Ingest, clickhouse: Client) -> None:
    row = columns_of(ingest, clickhouse, {"gpu.0.fan": 3, "gpu.x.model": "y", "gpu.0.resource_uuid": MIG})
    assert row["attributes_int"] == {"gpu.0.fan": 3}
    assert row["attributes_string"] == {"gpu.x.model": "y"}


ZEROS = {
    "utilization": 0.0, "memory_used_gb": 0.0, "temperature_celsius": 0, "power_watts": 0, "clock_mhz": 0,
}  # fmt: skip


def test_a_snapshot_of_zeros_is_kept_with_the_span_and_is_no_reading(ingest: Ingest, clickhouse: Client) -> None:
    row = columns_of(ingest, clickhouse, gpu(0, resource_uuid=MIG, memory_total_gb=40.0, **ZEROS))
    [attribution] = gpus_of(row)
    assert {name: attribution[name] for name in ZEROS} == ZEROS
    [metrics] = clickhouse.query("SELECT * FROM gpu_metrics").named_results()
    assert {name: metrics[name] for name in ZEROS} == dict.fromkeys(ZEROS)
    assert metrics["memory_total_gb"] == 40
    [[reading_at]] = clickhouse.query("SELECT max(reading_at) FROM gpu_sightings").result_rows
    assert reading_at is None


@pytest.mark.parametrize("field", ZEROS)
def test_one_reading_that_is_not_zero_makes_all_of_them_known(ingest: Ingest, clickhouse: Client, field: str) -> None:
    columns_of(ingest, clickhouse, gpu(0, resource_uuid=MIG, **(ZEROS | {field: 1})))
    [metrics] = clickhouse.query("SELECT * FROM gpu_metrics").named_results()
    assert {name: metrics[name] for name in ZEROS} == ZEROS | {field: 1}


def test_a_hundredth_gpu_and_more_stay_attributes(ingest: Ingest, clickhouse: Client) -> None:
    row = columns_of(ingest, clickhouse, {"gpu.99.model": "H100", "gpu.100.model": "H200"})
    assert row["gpus.model"] == ["H100"]
    assert row["attributes_string"] == {"gpu.100.model": "H200"}


def test_gpus_without_end_do_not_exhaust_clickhouse(ingest: Ingest, clickhouse: Client) -> None:
    """Each list of GPUs is built by looking through the span's attributes for each of them, which grows as a square."""
    fields = ("utilization", "power_watts", "clock_mhz")
    many = span(attributes={f"gpu.{number}.{field}": 1 for number in range(600) for field in fields})
    ingest(*(request(*[many] * 100, scope=("tests", str(number))) for number in range(13)))
    assert clickhouse.query("SELECT count(), max(length(gpus.utilization)) FROM spans").result_rows == [(1300, 100)]


def test_a_gpu_without_a_name_counts_nowhere(ingest: Ingest, clickhouse: Client) -> None:
    columns_of(ingest, clickhouse, gpu(0, utilization=5.0))
    assert clickhouse.query("SELECT count() FROM gpu_metrics").result_rows == [(0,)]
    assert clickhouse.query("SELECT count() FROM gpu_sightings").result_rows == [(0,)]


@pytest.mark.parametrize(
    "value",
    ["text", 1, 1.5, True, b"\x00\xff", [], ["a", 1, [2.5, {"k": None}]], {"k": {"l": [1]}}, None, math.nan, -math.inf],
    ids=repr,
)
def test_no_value_of_any_type_under_any_key_fails_an_insert(ingest: Ingest, clickhouse: Client, value: object) -> None:
    gpu_keys = [f"gpu.0.{field}" for field in FULL]
    attributes = dict.fromkeys([key for _, key in ALL_KEYS] + gpu_keys + ["gpu.99999.model", "other", ""], value)
    resource = dict.fromkeys(["service.name", "process.pid", "host.name", "deployment.environment", "x"], value)
    row = columns_of(ingest, clickhouse, attributes, resource=resource)
    kept = {key for name in row if name.startswith("attributes_") for key in row[name]}
    assert kept | {key for key in gpu_keys if gpus_of(row)} == attributes.keys()


def test_the_mapping_and_the_docs_name_the_same_keys() -> None:
    sql = MAPPING.read_text()
    lists = re.findall(r"\[\s*('[^]]+)\]", sql)
    [canonical] = [each for each in lists if "'ai.model.name'" in each]
    of_resource = re.findall(r"indexOf\(keys, '([^']+)'\)", sql)
    in_mapping = {*re.findall(r"'([^']+)'", canonical), *of_resource}
    of_gpu = [re.findall(r"'([^']+)'", each) for each in lists if "_uuid'" in each or "_watts'" in each]
    text = DOCS.read_text()
    tables = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    columns = set(re.findall(r"^\| `([a-z_]+)`", tables, flags=re.MULTILINE))
    in_docs = {
        key
        for key in re.findall(r"`([a-z0-9_.]+)`", tables)
        if "." in key or key in {"rid", "queue_time", "inference_time"}
    }
    assert in_docs == in_mapping
    assert set().union(*of_gpu) == FULL.keys() <= columns
    assert {key for _, key in ALL_KEYS} <= in_mapping


def test_each_documented_column_is_a_column_of_mapped_spans(clickhouse: Client) -> None:
    columns = {
        name for (name,) in clickhouse.query("SELECT name FROM system.columns WHERE table = 'mapped_spans'").result_rows
    }
    documented = set(re.findall(r"^\| `([a-z_]+)`", DOCS.read_text(), flags=re.MULTILINE))
    assert {name for name in documented if name not in FULL} <= columns
    assert {f"gpus.{name}" for name in FULL} <= columns
