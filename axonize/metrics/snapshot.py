"""What a process has counted so far, as text that other processes can add up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson
from prometheus_client import REGISTRY, Metric

from axonize.metrics.process import CPU_SECONDS, Process, of_the_system

# What else is in the registry, as of Python's garbage collector or of models, is not shared.
PREFIXES: Final = ("axonize_", "django_http_")
_SUMMED_SUFFIXES: Final = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}

Values = dict[str, float]
"""Values by sample: the JSON text of its name and, one after the other, its labels' names and values."""


@dataclass(frozen=True)
class Snapshot:
    """The figures of one process.

    `summed` are counters and histograms, which are added up over processes; `latest` are moments, of which the last one
    counts; `own` are its own, by name.
    """

    process: str
    host: str
    pid: int
    summed: Values = field(default_factory=dict)
    latest: Values = field(default_factory=dict)
    own: Values = field(default_factory=dict)

    @classmethod
    def parsed(cls, text: bytes) -> "Snapshot":
        return cls(**orjson.loads(text))

    def as_text(self) -> bytes:
        return orjson.dumps(self)


def shared_families() -> Iterator[Metric]:
    """Return the metrics of this process's registry that processes share, with their values."""
    return (metric for metric in REGISTRY.collect() if metric.name.startswith(PREFIXES))


def summed_names(metric: Metric) -> tuple[str, ...]:
    """Return the names of the samples of a metric that are added up."""
    return tuple(metric.name + suffix for suffix in _SUMMED_SUFFIXES.get(metric.type, ()))


def key_of(name: str, labels: Mapping[str, str]) -> str:
    """Return the key of a sample, as of Values.

    >>> key_of("axonize_spans_refused_total", {"reason": "kind"})
    '["axonize_spans_refused_total","reason","kind"]'
    """
    parts = [name]
    for pair in labels.items():
        parts += pair
    return orjson.dumps(parts).decode()


def sample_of(key: str) -> tuple[str, dict[str, str]]:
    """Return the name and the labels that a key stands for."""
    name, *parts = orjson.loads(key)
    return name, dict(zip(parts[::2], parts[1::2], strict=True))


def taken(process: Process, *, without: Mapping[str, float]) -> tuple[Snapshot, Values]:
    """Return what this process has counted, and all that is summed in it.

    Args:
        process: this one.
        without: what is summed already elsewhere, and so left out of the snapshot.

    """
    totals: Values = {}
    latest: Values = {}
    for metric in shared_families():
        names = summed_names(metric)
        for sample in metric.samples:
            if sample.name in names:
                if sample.value:
                    totals[key_of(sample.name, sample.labels)] = sample.value
            elif metric.type == "gauge" and sample.value:
                latest[key_of(sample.name, sample.labels)] = sample.value
    own = of_the_system()
    if (cpu_seconds := own.pop(CPU_SECONDS, None)) is not None:
        totals[key_of(CPU_SECONDS, {"process": process.kind})] = cpu_seconds
    summed = {key: value - without.get(key, 0.0) for key, value in totals.items()} if without else totals
    return Snapshot(process.kind, process.host, process.pid, summed, latest, own), totals
