"""Labels: texts by which operators tell nodes, cards and slices apart, such as a team, a cluster, a rack."""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, Value
from django.db.models.lookups import Exact


def labels_field() -> models.JSONField:
    return models.JSONField(default=dict, blank=True, help_text='Texts by name: {"team": "search", "rack": "b7"}')


def labels_constraints(model: str) -> tuple[models.CheckConstraint, ...]:
    """Return the constraints by which labels are an object of texts; their names begin with `model`."""
    kind = Func(F("labels"), function="jsonb_typeof", output_field=models.TextField())
    other = Func(
        F("labels"),
        Value('strict $.* ? (@.type() != "string")'),
        function="jsonb_path_exists",
        output_field=models.BooleanField(),
    )
    return (
        models.CheckConstraint(condition=Exact(kind, Value("object")), name=f"{model}_labels_object"),
        models.CheckConstraint(
            condition=~Exact(kind, Value("object")) | Exact(other, Value(value=False)), name=f"{model}_labels_texts"
        ),
    )


def labels_index(model: str) -> GinIndex:
    return GinIndex(fields=["labels"], name=f"{model}_labels")
