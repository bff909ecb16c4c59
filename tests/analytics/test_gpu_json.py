"""The JSON of a span's GPUs: what is complete is passed on, what is not is filled in."""

import json
from collections.abc import Mapping

import pytest

from analytics.gpu_json import Words, gpu_texts, resource_uuids
from analytics.span_rows import GPU_SET_IN_REGISTRY

READINGS = {
    "utilization": 87.5, "memory_used_gb": None, "memory_total_gb": None, "temperature_celsius": 61,
    "power_watts": 412.5, "clock_mhz": 1410,
}  # fmt: skip
TEXTS = ("resource_uuid", "physical_uuid", "model", "vendor", "node_id", "resource_type", "user_label")
COMPLETE = dict.fromkeys(TEXTS, "x")
SHOWN = {**COMPLETE, "source": "span"}


def array(*gpus: Mapping[str, object]) -> bytes:
    """Return the array as ClickHouse writes it: all texts, then the readings, without blanks."""
    shown = [{**dict.fromkeys(TEXTS, ""), **gpu, **READINGS} for gpu in gpus]
    return json.dumps(shown, separators=(",", ":"), ensure_ascii=False).encode()


def unset(array: bytes) -> bytes:
    """Return what operators set of the GPUs of an array: nothing."""
    return json.dumps([dict.fromkeys(GPU_SET_IN_REGISTRY, "") for _ in json.loads(array)]).encode()


def silent(_resource_uuids: set[str]) -> Words:
    return {}


def shown(text: bytes, words: Words | None = None) -> list[dict[str, object]]:
    (made,) = gpu_texts([text], [unset(text)], lambda _: words or {})
    value: list[dict[str, object]] = json.loads(made)
    return value


def test_a_reading_that_was_not_sent_is_null() -> None:
    sent = {**COMPLETE, "utilization": 40.25, "clock_mhz": 1410}
    text = json.dumps([sent, {**COMPLETE, **READINGS}], separators=(",", ":")).encode()
    assert shown(text) == [
        {**SHOWN, **dict.fromkeys(READINGS), "utilization": 40.25, "clock_mhz": 1410},
        {**SHOWN, **READINGS},
    ]


def test_what_is_complete_is_passed_on_unread_and_nobody_is_asked() -> None:
    def nobody(_resource_uuids: set[str]) -> Words:
        raise AssertionError("it was asked")

    arrays = [array(COMPLETE), b"[]", array(COMPLETE, COMPLETE)]
    made = [json.loads(text) for text in gpu_texts(arrays, list(map(unset, arrays)), nobody)]
    assert made == [[{**SHOWN, **READINGS}], [], [{**SHOWN, **READINGS}] * 2]
    unlabelled = array({**COMPLETE, "user_label": ""})
    (text,) = gpu_texts([unlabelled], [unset(unlabelled)], nobody)
    assert json.loads(text) == [{**SHOWN, "user_label": None, **READINGS}]


def test_the_registry_is_asked_once_of_the_resources_that_lack_something() -> None:
    asked = []

    def ask(resource_uuids: set[str]) -> Words:
        asked.append(resource_uuids)
        return {"a": {"model": "H200", "node_id": "n"}}

    rows = [array({"resource_uuid": "a"}), array(COMPLETE, {"resource_uuid": "b"}), b"[]", array({"model": "H100"})]
    made = [json.loads(text) for text in gpu_texts(rows, list(map(unset, rows)), ask)]
    assert asked == [{"a", "b"}]
    assert [len(gpus) for gpus in made] == [1, 2, 0, 1]
    assert (made[0][0]["model"], made[0][0]["node_id"], made[0][0]["physical_uuid"]) == ("H200", "n", None)
    assert made[1][0] == {**SHOWN, **READINGS}
    assert (made[1][1]["model"], made[1][1]["vendor"], made[1][1]["resource_type"]) == (None, "NVIDIA", "mig")


def test_what_operators_set_counts_more_than_what_was_sent() -> None:
    sent = array({**COMPLETE, "model": "sent"}, {**COMPLETE, "resource_uuid": "other"})
    nothing = dict.fromkeys(GPU_SET_IN_REGISTRY, "")
    set_texts = [{**nothing, "set_physical_uuid": "GPU-1", "set_model": "set"}, nothing]
    (made,) = gpu_texts([sent], [json.dumps(set_texts).encode()], silent)
    first, other = json.loads(made)
    assert first == {**SHOWN, **READINGS, "physical_uuid": "GPU-1", "model": "set"}
    assert other == {**SHOWN, **READINGS, "resource_uuid": "other"}


def test_what_was_sent_counts_more_than_the_registry_and_that_more_than_a_guess() -> None:
    word = {"r": {"physical_uuid": "r", "vendor": "registered", "model": "registered"}}
    (gpu,) = shown(array({"resource_uuid": "r", "model": "sent"}), word)
    assert (gpu["model"], gpu["vendor"], gpu["resource_type"]) == ("sent", "registered", "full_gpu")
    (nameless,) = shown(array({"model": "sent"}), word)
    assert (nameless["vendor"], nameless["resource_type"], nameless["resource_uuid"]) == (None, None, None)


@pytest.mark.parametrize(
    "label", ['"},{"', ',"utilization":1', '":""', "}]", "\\", '\\"', "a\nb\u2028", "é🚀", '{"resource_uuid":"fake"']
)
def test_no_text_passes_for_the_structure_around_it(label: str) -> None:
    gpus = [{"resource_uuid": f"{label}1", "user_label": label, "model": ""}, {"resource_uuid": "2", "vendor": label}]
    made = shown(array(*gpus))
    assert [gpu["resource_uuid"] for gpu in made] == [f"{label}1", "2"]
    assert (made[0]["user_label"], made[1]["vendor"]) == (label, label)
    assert all({name: gpu[name] for name in READINGS} == READINGS for gpu in made)
    assert {json.loads(text) for text in resource_uuids(array(*gpus))} == {f"{label}1", "2"}


def test_resources_are_counted_once_and_a_nameless_one_not() -> None:
    gpus = array({"resource_uuid": "a"}, {"resource_uuid": "a"}, {"model": "x"}, {"resource_uuid": "b"})
    assert resource_uuids(gpus) == {b'"a"', b'"b"'}
    assert resource_uuids(b"[]") == set()
