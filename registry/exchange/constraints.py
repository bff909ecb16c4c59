"""A model's check constraints, asked before a row is written, for those of its columns that change."""

from collections.abc import Collection, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import CheckConstraint, F, Model, Q
from django.db.models.expressions import BaseExpression


class Constraints:
    """The check constraints of a model.

    Each question is a statement, but what a constraint says depends on nothing but the values of its columns: the same
    price on ten thousand cards is asked about once.
    """

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.fields = {field.name: field for field in model._meta.fields}  # noqa: SLF001  Django's way
        self.checks = [
            (constraint, frozenset(_columns(constraint.condition)))
            for constraint in model._meta.constraints  # noqa: SLF001
            if isinstance(constraint, CheckConstraint)
        ]
        self.passed: set[tuple[str, ...]] = set()

    def refusals(self, row: Model, changed: Collection[str]) -> dict[str, list[Any]]:
        """Return what is wrong with a row, by the name of the first column that is."""
        errors: dict[str, list[Any]] = {}
        for constraint, names in self.checks:
            values = [repr(getattr(row, self.fields[name].attname)) for name in sorted(names)]
            key = (constraint.name, *values)
            if names.isdisjoint(changed) or key in self.passed:
                continue
            try:
                constraint.validate(self.model, row, exclude=self.fields.keys() - names)
            except ValidationError as error:
                errors.setdefault(min(names & set(changed)), []).extend(error.error_list)
            else:
                self.passed.add(key)
        return errors


def _columns(condition: Any) -> Iterator[str]:
    """Yield the names of the columns that a condition reads."""
    if isinstance(condition, tuple):  # a lookup of a Q, and its value
        yield condition[0].partition("__")[0]
        yield from _columns(condition[1])
    elif isinstance(condition, Q):
        for child in condition.children:
            yield from _columns(child)
    elif isinstance(condition, F):
        yield str(vars(condition)["name"])
    elif isinstance(condition, BaseExpression):
        for part in condition.get_source_expressions():
            yield from _columns(part)
