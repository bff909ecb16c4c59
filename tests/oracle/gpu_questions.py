"""Questions about GPUs: which there are, and how one or a whole card was used over time."""

from collections.abc import Callable
from typing import Any

from tests.oracle.gpu_series import card_metrics, gpu_metrics
from tests.oracle.inventory import gpu_list
from tests.oracle.questions import Drawer, Parameters, Question, range_or_default
from tests.oracle.trace_questions import listed

FILTERS = ("node_id", "model", "vendor", "resource_type", "physical_uuid", "label", "q")


def list_gpus(draw: Drawer) -> Question:
    rows = gpu_list(draw.model, {}, now_ns=draw.model.dataset.anchor_ns)
    parameters: Parameters = {}
    for name in draw.dice.sample(FILTERS, draw.dice.choice((0, 1, 1, 2))):
        row = draw.dice.choice(rows) if rows else {}
        texts = {**row, "label": draw.dice.choice(("cuda:0", "mps:0")), "q": draw.dice.choice(("mig", "H1", "node-1"))}
        parameters[name] = (not draw.maybe(0.1) and texts.get(name)) or "nobody"
    filters = dict(parameters)
    return listed(draw, "/gpus", "gpus", parameters, lambda model, now_ns: gpu_list(model, filters, now_ns))


def list_gpu_metrics(draw: Drawer) -> Question:
    uuid = draw.dice.choice([*sorted(draw.model.registry), "GPU-nobody"])
    return _metrics(draw, f"/gpus/{uuid}/metrics", uuid, gpu_metrics)


def list_card_metrics(draw: Drawer) -> Question:
    cards = {word.physical_uuid for word in draw.model.registry.values()} - {""}
    sent = {gpu.physical_uuid for span in draw.model.spans for gpu in span.gpus} - {""}
    uuid = draw.dice.choice([*sorted(cards | sent), "GPU-nobody"])
    return _metrics(draw, f"/physical-gpus/{uuid}/metrics", uuid, card_metrics)


def _metrics(draw: Drawer, path: str, uuid: str, answer: Callable[..., Any]) -> Question:
    parameters: Parameters = {}
    start_ns, end_ns = range_or_default(draw, parameters)
    step = None
    if draw.maybe(0.7):
        parameters["step"] = step = draw.dice.choice((1, 7, 10, 60, 300, 3600, 86_400))
    aggregate = draw.dice.choice(("avg", "max", "min", "last"))
    if aggregate != "avg" or draw.maybe(0.5):
        parameters["aggregate"] = aggregate
    return Question(
        path, parameters, lambda model, now_ns: answer(model, uuid, start_ns, end_ns, step, aggregate, now_ns)
    )
