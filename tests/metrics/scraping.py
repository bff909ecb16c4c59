"""Reads what Prometheus would: a page in its text format."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]


class Page:
    """A page of metrics, by family and by sample."""

    def __init__(self, text: str) -> None:
        self.families = {family_name(metric): metric for metric in text_string_to_metric_families(text)}
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for metric in self.families.values()
            for sample in metric.samples
        }

    def value(self, name: str, **labels: str) -> float:
        return self._values[name, frozenset(labels.items())]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum over all samples of a name that have these labels; 0 where there is none."""
        return sum(self.values(name, labels.items()))

    def values(self, name: str, labels: Iterable[tuple[str, str]] = ()) -> list[float]:
        wanted = set(labels)
        return [value for (of, has), value in self._values.items() if of == name and wanted <= has]

    def labels(self, name: str) -> list[dict[str, str]]:
        """Return the labels of all samples of a name."""
        return [dict(has) for of, has in self._values if of == name]


def family_name(metric: Metric) -> str:
    """Return a metric's name as it is in the text, where a counter's ends in _total."""
    return f"{metric.name}_total" if metric.type == "counter" else metric.name
