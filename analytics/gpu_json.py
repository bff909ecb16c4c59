"""The GPUs that spans ran on, as the JSON that the API shows: as sent, else the registry's word, else what is usual."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from analytics.attributes import json_text
from analytics.span_rows import GPU_FROM_REGISTRY, GPU_READINGS, GPU_TEXTS

Words = Mapping[str, Mapping[str, str]]
"""By resource uuid what the registry says of it, by field of GPU_FROM_REGISTRY; empty where it says nothing."""

_NONE: Final = b"[]"
_READINGS: Final = b",".join(b'"%b":%%b' % name.encode() for name in GPU_READINGS) + b"}"


def gpu_texts(columns: Mapping[str, Sequence[bytes]], ask_registry: Callable[[set[str]], Words]) -> list[bytes]:
    """Return the JSON array of each row's GPUs, from `gpus.*` as axonize.clickhouse.json_rows has them.

    Rows have few different texts and many different readings, so each text is looked at once. `ask_registry` is called
    with the resources of which a span left something out, if there are any.
    """
    texts = list(zip(*(columns[f"gpus.{name}"] for name in GPU_TEXTS), strict=True))
    decoded = {row: _decoded(row) for row in set(texts) if row[0] != _NONE}
    if not decoded:
        return [_NONE] * len(texts)
    gpus = [gpu for row in decoded.values() for gpu in row]
    lacking = {gpu["resource_uuid"] for gpu in gpus if not all(gpu[name] for name in GPU_FROM_REGISTRY)} - {""}
    words = ask_registry(lacking) if lacking else {}
    beginnings = {
        row: [_beginning(gpu, words.get(gpu["resource_uuid"], {})) for gpu in decoded[row]] for row in decoded
    }
    readings = zip(*(_without_brackets(columns[f"gpus.{name}"]) for name in GPU_READINGS), strict=True)
    return [
        _array(beginnings[row], values) if row in beginnings else _NONE
        for row, values in zip(texts, readings, strict=True)
    ]


def _decoded(row: Iterable[bytes]) -> list[dict[str, str]]:
    return [dict(zip(GPU_TEXTS, values, strict=True)) for values in zip(*map(json.loads, row), strict=True)]


def _beginning(gpu: Mapping[str, str], word: Mapping[str, str]) -> bytes:
    """Return the JSON object of one attribution up to its readings; null is what nobody knows."""
    shown: dict[str, str | None] = {name: text or word.get(name) or None for name, text in gpu.items()}
    if shown["resource_uuid"]:
        # What is taken to be so where neither the span nor the registry says otherwise (docs/conventions.md).
        shown["vendor"] = shown["vendor"] or "NVIDIA"
        is_card = shown["resource_uuid"] == shown["physical_uuid"]
        shown["resource_type"] = shown["resource_type"] or ("full_gpu" if is_card else "mig")
    return json_text(shown)[:-1].encode() + b","


def _without_brackets(arrays: Sequence[bytes]) -> list[bytes]:
    """Return what is in each array, of numbers and nulls only."""
    return b";".join(arrays).translate(None, b"[]").split(b";")


def _array(beginnings: Sequence[bytes], readings: tuple[bytes, ...]) -> bytes:
    """Return the array of a row's attributions; each reading has the values of all of them, with commas between."""
    if len(beginnings) == 1:
        return b"[" + beginnings[0] + _READINGS % readings + b"]"
    values = zip(*(each.split(b",") for each in readings), strict=True)
    gpus = [beginning + _READINGS % each for beginning, each in zip(beginnings, values, strict=True)]
    return b"[" + b",".join(gpus) + b"]"
