"""The table, the alert rules and the dashboard name metrics and labels that exist, and the table names all of them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from axonize.metrics.page import SCRAPED
from tests.processes import ROOT

DOCS = ROOT / "docs"
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DOCS / "monitoring" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((DOCS / "monitoring" / "dashboard.json").read_text())
TARGETS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + TARGETS

OF_PROMETHEUS = {"up": {"job", "instance"}}
OF_EACH_TARGET = {"job", "instance"}
SUFFIXES = {"counter": [""], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}
ROW = re.compile(r"^\| `((?:axonize|django)_\w+)` \| (\w+) \| (.*?) \| (.+) \|$", re.MULTILINE)
TABLE = {
    name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
    for name, kind, labels, _ in ROW.findall((DOCS / "metrics.md").read_text())
}


def samples() -> dict[str, set[str]]:
    """Return the labels of each sample that Prometheus stores."""
    stored = {
        name + suffix: {*labels} | ({"le"} if suffix == "_bucket" else set())
        for name, (kind, labels) in TABLE.items()
        for suffix in SUFFIXES[kind]
    }
    return {name: labels | OF_EACH_TARGET for name, labels in stored.items()} | OF_PROMETHEUS


def parts(expression: Any) -> Iterator[Any]:
    """Return an expression and all that are in it."""
    yield expression
    inner = [getattr(expression, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")]
    for part in [*inner, *getattr(expression, "args", ())]:
        if part is not None:
            yield from parts(part)


def parsed(text: str) -> Any:
    return promql_parser.parse(text.replace("$__rate_interval", "5m"))


def faults(text: str) -> list[str]:
    """Return what is named in an expression and does not exist."""
    found = []
    known = samples()
    everywhere = list(parts(parsed(text)))
    selectors: list[Any] = [part for part in everywhere if isinstance(part, promql_parser.VectorSelector)]
    for selector in selectors:
        if selector.name not in known:
            found.append(f"metric {selector.name}")
        else:
            named = {matcher.name for matcher in selector.matchers.matchers}
            found += [f"label {label} of {selector.name}" for label in named - known[selector.name]]
    labels = set.union(set(), *(known.get(selector.name, set()) for selector in selectors))
    for part in everywhere:
        modifier = getattr(part, "modifier", None)
        if isinstance(part, promql_parser.AggregateExpr) and modifier is not None:
            found += [f"label {label} in by" for label in modifier.labels if label not in labels]
    return found if selectors else ["no metric at all"]


def registered() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the type and the labels of each metric that a scrape can tell."""
    from django_prometheus.middleware import Metrics  # noqa: PLC0415 - importing it is what registers those of the web
    from prometheus_client import REGISTRY  # noqa: PLC0415 - with them

    Metrics.get_instance()
    labels = {
        collector._name: tuple(collector._labelnames)
        for collector in list[Any](REGISTRY._collector_to_names)
        if hasattr(collector, "_labelnames")
    }
    return {
        f"{metric.name}_total" if metric.type == "counter" else metric.name: (
            metric.type,
            labels.get(metric.name) or tuple(getattr(metric, "_labelnames", ())),
        )
        for collector in list[Any](SCRAPED._collector_to_names)
        for metric in collector.describe()
    }


def test_the_table_lists_the_metrics_that_exist_with_type_and_labels() -> None:
    assert registered() == TABLE


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_each_expression_names_only_what_exists(expression: str) -> None:
    assert faults(expression) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "rate(axonize_spans_received[5m])",
        'axonize_processes{kind="web"}',
        "sum by (tenant) (axonize_queue_bytes)",
        "time() - (axonize_nothing > 0)",
        "histogram_quantile(0.9, sum by (le) (rate(axonize_batch_spans_buckets[5m])))",
        "vector(1)",
    ],
)
def test_an_expression_that_names_what_does_not_exist_is_found_out(wrong: str) -> None:
    assert faults(wrong)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule["alert"]))
def test_each_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description"}
    assert len(rule["annotations"]["description"]) > 40
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert named <= labels_of(parsed(rule["expr"]))


def labels_of(expression: Any) -> set[str]:
    """Return the labels of an expression's answer: what the outermost sum keeps, or its metrics have."""
    everywhere = list(parts(expression))
    sums: list[Any] = [part for part in everywhere if isinstance(part, promql_parser.AggregateExpr)]
    if sums:
        return set(sums[0].modifier.labels) if sums[0].modifier else set()
    selectors: list[Any] = [part for part in everywhere if isinstance(part, promql_parser.VectorSelector)]
    return set.intersection(*(samples()[selector.name] for selector in selectors))


def test_no_alert_has_the_name_of_another() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names))


def test_the_dashboard_asks_the_data_source_that_is_chosen_when_it_is_imported() -> None:
    [variable] = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert all(panel["targets"] for panel in panels)


def test_the_dashboard_shows_each_figure_of_ours() -> None:
    shown = {
        part.name for text in TARGETS for part in parts(parsed(text)) if isinstance(part, promql_parser.VectorSelector)
    }
    missing = {
        name
        for name, (kind, _) in TABLE.items()
        if name.startswith("axonize_") and not shown & {name + suffix for suffix in SUFFIXES[kind]}
    }
    assert missing == set()


def test_the_scrape_reads_the_rules_and_shows_a_key() -> None:
    config = yaml.safe_load((DOCS / "monitoring" / "prometheus.yml").read_text())
    assert [rule for rule in config["rule_files"] if not (DOCS / "monitoring" / rule).exists()] == []
    [scrape] = config["scrape_configs"]
    assert (scrape["job_name"], scrape["metrics_path"]) == ("axonize", "/metrics")
    assert scrape["authorization"]["type"] == "Bearer"
    assert 'job="axonize"' in ALERTS[0]["expr"]
