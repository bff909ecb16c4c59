"""Which spans a question is about: the span-level filters, all of them met by one span."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.records import Gpu, Span
from tests.oracle.registry import NOTHING, Word


@dataclass(frozen=True)
class Filters:
    """What one span must satisfy; None does not ask. `attributes` are pairs of a key and a value's text."""

    service_name: str | None = None
    environment: str | None = None
    name: str | None = None
    model_name: str | None = None
    resource_uuid: str | None = None
    physical_uuid: str | None = None
    node_id: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()


def meets(span: Span, filters: Filters, registry: Mapping[str, Word]) -> bool:
    asked = {
        "service_name": span.service_name,
        "environment": span.environment,
        "name": span.name,
        "model_name": span.model_name,
    }
    own = all(getattr(filters, name) in (None, value) for name, value in asked.items())
    on_gpu = all(
        getattr(filters, name) is None or getattr(filters, name) in gpu_values(span, name, registry)
        for name in ("resource_uuid", "physical_uuid", "node_id")
    )
    return own and on_gpu and all(_has(span, key, text) for key, text in filters.attributes)


def gpu_values(span: Span, name: str, registry: Mapping[str, Word]) -> set[str]:
    """Return the resources, cards or nodes that it ran on."""
    return {text for gpu in span.gpus if (text := gpu_text(gpu, name, registry))}


def gpu_text(gpu: Gpu, name: str, registry: Mapping[str, Word]) -> str:
    """Return what operations said of the GPU, else what the span says, else what the registry knows."""
    if name == "resource_uuid":
        return gpu.resource
    word = registry.get(gpu.resource, NOTHING)
    return word.set_texts.get(name) or getattr(gpu, name) or str(getattr(word, name))


def _has(span: Span, key: str, text: str) -> bool:
    """Tell whether the span or what sent it has this attribute; numbers match by value, others by their JSON text."""
    return any(key in sent and text_means(text, sent[key]) for sent in (span.attributes, span.resource))


def text_means(text: str, value: Any) -> bool:
    if isinstance(value, str):
        return text == value
    try:
        meant = json.loads(text)
    except ValueError:
        return False
    return isinstance(meant, bool) == isinstance(value, bool) and bool(meant == value)
