"""The figures of all processes as metrics: sums, the latest moments, and what each process tells of itself."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from axonize.metrics.process import CPU_SECONDS, KINDS, OWN
from axonize.metrics.snapshot import Snapshot, Values, key_of, sample_of, shared_families, summed_names
from axonize.metrics.store import Stored
from axonize.metrics.tasks import LAST_SUCCESS, REGISTRY_SYNC

PROCESSES: Final = "axonize_processes"
SYNC_LAG: Final = "axonize_registry_sync_lag_seconds"


def merged(stored: Stored) -> Iterator[Metric]:
    """Return the metrics of all processes."""
    snapshots = [snapshot for snapshot, _ in stored.processes]
    here = [snapshot for snapshot, is_heard in stored.processes if is_heard]
    sums = _sums(snapshots, stored.gone)
    latest = _latest(snapshots, stored.gone)
    yield from _shared(sums, latest)
    yield _cpu_seconds(sums)
    yield from _of_each(here)
    yield _counted(here)
    yield _sync_lag(latest)


def _sums(snapshots: Iterable[Snapshot], gone: Values) -> Values:
    sums = dict(gone)
    for snapshot in snapshots:
        for key, value in snapshot.summed.items():
            sums[key] = sums.get(key, 0.0) + value
    return sums


def _latest(snapshots: Iterable[Snapshot], gone: Values) -> Values:
    latest = dict(gone)
    for snapshot in snapshots:
        for key, value in snapshot.latest.items():
            latest[key] = max(value, latest.get(key, 0.0))
    return latest


def _shared(sums: Values, latest: Values) -> Iterator[Metric]:
    """Return what this process's registry knows, with the values of all of them in place of its own."""
    by_name: dict[str, list[str]] = {}
    for key in sums.keys() | latest.keys():
        by_name.setdefault(sample_of(key)[0], []).append(key)
    for metric in shared_families():
        names = summed_names(metric)
        values, names = (sums, names) if names else (latest, (metric.name,))
        keys = {key for name in names for key in by_name.get(name, ())}
        keys |= {key_of(sample.name, sample.labels) for sample in metric.samples if sample.name in names}
        told = Metric(metric.name, metric.documentation, metric.type)
        for key in sorted(keys, key=_order):
            name, labels = sample_of(key)
            told.add_sample(name, labels, values.get(key, 0.0))
        yield told


def _order(key: str) -> tuple[Sequence[str], float, str]:
    """Return by what samples are ordered: a histogram's buckets by size, then its count and its sum."""
    name, labels = sample_of(key)
    bound = labels.pop("le", None)
    return tuple(labels.values()), float("inf") if bound is None else float(bound), name


def _cpu_seconds(sums: Values) -> Metric:
    metric = CounterMetricFamily(CPU_SECONDS, "CPU time of all processes of a kind.", labels=["process"])
    for kind in KINDS:
        metric.add_metric([kind], sums.get(key_of(CPU_SECONDS, {"process": kind}), 0.0))
    return metric


def _of_each(snapshots: Iterable[Snapshot]) -> Iterator[Metric]:
    families = {
        name: GaugeMetricFamily(name, meaning, labels=["process", "host", "pid"]) for name, meaning in OWN.items()
    }
    for snapshot in snapshots:
        for name in snapshot.own.keys() & families.keys():
            families[name].add_metric([snapshot.process, snapshot.host, str(snapshot.pid)], snapshot.own[name])
    return iter(families.values())


def _counted(snapshots: Iterable[Snapshot]) -> Metric:
    metric = GaugeMetricFamily(PROCESSES, "Processes that reported within the last 30 seconds.", labels=["process"])
    counts = Counter(snapshot.process for snapshot in snapshots)
    for kind in KINDS:
        metric.add_metric([kind], counts[kind])
    return metric


def _sync_lag(latest: Values) -> Metric:
    """Return for how long what ClickHouse saw of GPUs may not be in the registry yet."""
    metric = GaugeMetricFamily(SYNC_LAG, "Since the last synchronisation of the registry that ended well began.")
    [family] = LAST_SUCCESS.describe()
    synced_at_s = latest.get(key_of(family.name, {"task": REGISTRY_SYNC}))
    if synced_at_s:
        metric.add_metric([], max(0.0, time.time() - synced_at_s))
    return metric
