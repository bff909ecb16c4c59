"""The GPUs that spans ran on, as the JSON that the API shows: as operators set, else sent, else known, else usual."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from analytics.attributes import json_text
from analytics.span_rows import GPU_FROM_REGISTRY, GPU_READINGS, GPU_TEXTS
from axonize.clickhouse.json_rows import value_of

Words = Mapping[str, Mapping[str, str]]
"""By resource uuid what the registry says of it, by field of GPU_FROM_REGISTRY; empty texts where it says nothing."""
SetTexts = tuple[str, ...]
"""What operators set of a resource, in the order of GPU_FROM_REGISTRY; empty texts where they left it."""

NO_UUID: Final = b'""'
_GPU: Final = b'{"resource_uuid":'
_READINGS: Final = [b'"%b":' % name.encode() for name in GPU_READINGS]
# In JSON a quote within a text is escaped, so none of these can be part of one.
_UNSET: Final = b':""'
_FIRST_READING: Final = b',"%b":' % GPU_READINGS[0].encode()
# Where a GPU's texts end; who names it, the span or the context of who sent the span, is said there.
_FROM_SPAN: Final = b',"source":"span"' + _FIRST_READING
_FROM_CONTEXT: Final = b',"source":"context"' + b"".join(b',"%b":null' % name.encode() for name in GPU_READINGS) + b"}"
# ClickHouse writes a whole double without its point; some languages tell 35 from 35.0, and the latter was sent.
_WHOLE_DOUBLE: Final = re.compile(rb'("(?:utilization|memory_used_gb|memory_total_gb)":-?[0-9]+)(?=[,}])')
_RESOURCE_UUID: Final = re.compile(rb'\{"resource_uuid":("(?:[^"\\]|\\.)*")')


def gpu_texts(
    arrays: Sequence[bytes], set_texts: Sequence[bytes], ask_registry: Callable[[set[str]], Words]
) -> Sequence[bytes]:
    """Return the JSON array of each row's GPUs, from `gpus` as axonize.clickhouse.json_rows has it.

    There a GPU's texts come before its readings. Rows have few different texts and many different readings, so each
    text is looked at once. `set_texts` has, of each row, the JSON array of objects of GPU_SET_IN_REGISTRY.
    `ask_registry` is called with the resources of which a span left something out, if any.
    """
    arrays = [
        _WHOLE_DOUBLE.sub(rb"\1.0", _with_all_readings(array)).replace(_FIRST_READING, _FROM_SPAN) for array in arrays
    ]
    corrected = {text: _set_texts(text) for text in set(set_texts)}
    divided = [
        _divided(array, corrected[text]) if _UNSET in array or any(corrected[text]) else None
        for array, text in zip(arrays, set_texts, strict=True)
    ]
    if not any(divided):
        return arrays
    gpus = {key: _corrected(*key) for keys, _ in filter(None, divided) for key in keys}
    lacking = {gpu["resource_uuid"] for gpu in gpus.values() if not all(gpu[name] for name in GPU_FROM_REGISTRY)} - {""}
    words = ask_registry(lacking) if lacking else {}
    shown = {key: _shown(gpu, words.get(gpu["resource_uuid"], {})) for key, gpu in gpus.items()}
    return [
        array if parts is None else _array((shown[key] for key in parts[0]), parts[1])
        for array, parts in zip(arrays, divided, strict=True)
    ]


def held_gpu(texts: Mapping[str, str]) -> bytes:
    """Return the JSON of a GPU that a context tells, of which nobody knows readings. `texts` are by GPU_TEXTS."""
    return _shown({name: texts[name] for name in GPU_TEXTS}, {}) + _FROM_CONTEXT


def resource_uuids(array: bytes) -> set[bytes]:
    """Return the resources in a row's `gpus`, as JSON texts."""
    return set(_RESOURCE_UUID.findall(array)) - {NO_UUID}


def _with_all_readings(array: bytes) -> bytes:
    """Return the array with null for each reading that a GPU was sent without."""
    gpus = array.count(_GPU)
    if all(array.count(reading) == gpus for reading in _READINGS):
        return array
    names = (*GPU_TEXTS, *GPU_READINGS)
    whole = [{name: gpu.get(name) for name in names} for gpu in value_of(array)]
    return json_text(whole).encode("utf-8", "surrogateescape")


def _set_texts(text: bytes) -> list[SetTexts]:
    """Return what was set of each GPU of a row, the empty tuple where nothing was."""
    return [tuple(texts.values()) if any(texts.values()) else () for texts in json.loads(text)]


def _corrected(text: bytes, set_texts: SetTexts) -> dict[str, str]:
    """Return a GPU's texts, an object that lacks its end, with what operators set in their places."""
    gpu: dict[str, str] = json.loads(text + b"}")
    return gpu | {name: text for name, text in zip(GPU_FROM_REGISTRY, set_texts, strict=False) if text}


def _divided(array: bytes, set_texts: Sequence[SetTexts]) -> tuple[list[tuple[bytes, SetTexts]], list[bytes]]:
    """Return each GPU's texts, an object that lacks its end, and what was set of it, and each GPU's readings.

    The first reading is without its name.
    """
    first, *rest = array.split(_FROM_SPAN)
    texts, readings = [first[1:]], []
    for part in rest:
        reading, _, following = part.partition(b"}")
        readings.append(reading)
        texts.append(following[1:])
    return list(zip(texts[:-1], set_texts, strict=True)), readings


def _array(texts: Iterable[bytes], readings: Iterable[bytes]) -> bytes:
    gpus = [text + _FROM_SPAN + reading + b"}" for text, reading in zip(texts, readings, strict=True)]
    return b"[" + b",".join(gpus) + b"]"


def _shown(gpu: Mapping[str, str], word: Mapping[str, str]) -> bytes:
    """Return the texts of an attribution, an object that lacks its end; null is what nobody knows."""
    shown: dict[str, str | None] = {name: text or word.get(name) or None for name, text in gpu.items()}
    if shown["resource_uuid"]:
        # What is taken to be so where neither the span nor the registry says otherwise (docs/conventions.md).
        shown["vendor"] = shown["vendor"] or "NVIDIA"
        is_card = shown["resource_uuid"] == shown["physical_uuid"]
        shown["resource_type"] = shown["resource_type"] or ("full_gpu" if is_card else "mig")
    return json_text(shown)[:-1].encode()
