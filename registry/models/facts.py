"""Facts that a sighting and an operator can both say: what was seen, what was set, and the one that counts.

`seen_x` is kept fresh by sightings, `set_x` is an operator's, blank or null where nobody set it. `x`, which everybody
reads, is a generated column: the set one, else the seen one. So PostgreSQL answers, filters and indexes it by itself.
"""

from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.db.models.functions import Coalesce, NullIf
from django.db.models.sql import Query

TEXT_MAX_LENGTH: Final = 255
# A bound, because PostgreSQL takes NaN and infinity to be above any number.
MEMORY_BOUND_GB: Final = 1e6


class GeneratedForeignKey(models.ForeignKey):  # type: ignore[type-arg]  # Django's class takes none at run time
    """A foreign key whose column PostgreSQL computes, as GeneratedField, which can't be one, does for others.

    What it is computed of are foreign keys themselves, so it has no constraint and does nothing on a deletion.
    """

    generated = True
    db_returning = True
    db_persist = True

    def __init__(self, to: Any, *, expression: Any, **kwargs: Any) -> None:
        self.expression = expression
        kwargs |= {"on_delete": models.DO_NOTHING, "db_constraint": False, "null": True, "editable": False}
        super().__init__(to, **kwargs)

    def generated_sql(self, connection: Any) -> Any:
        """Return the expression as SQL and its parameters, as the schema editor asks a GeneratedField."""
        query = Query(model=self.model, alias_cols=False)
        compiler = connection.ops.compiler("SQLCompiler")(query, connection=connection, using=None)
        return compiler.compile(self.expression.resolve_expression(query, allow_joins=False))

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("on_delete", "db_constraint", "null", "editable"):
            kwargs.pop(fixed, None)
        return name, path, args, {**kwargs, "expression": self.expression}


def text_or(name: str) -> Coalesce:
    """Return the expression of the text that counts."""
    return Coalesce(NullIf(F(f"set_{name}"), Value("")), F(f"seen_{name}"))


def set_text(**options: Any) -> models.CharField:  # type: ignore[type-arg]  # as above
    return models.CharField(max_length=TEXT_MAX_LENGTH, blank=True, **options)


def seen_text(**options: Any) -> models.CharField:  # type: ignore[type-arg]  # as above
    return models.CharField(max_length=TEXT_MAX_LENGTH, blank=True, editable=False, **options)


def seen_at() -> models.DateTimeField:  # type: ignore[type-arg]  # as above
    """Return the column of when a fact was seen last; a late sighting must not undo a later one."""
    return models.DateTimeField(null=True, editable=False)


def effective_text(name: str, **options: Any) -> models.GeneratedField:
    return models.GeneratedField(
        expression=text_or(name),
        output_field=models.CharField(max_length=TEXT_MAX_LENGTH),
        db_persist=True,
        **options,
    )


def conflict_list(*, texts: dict[str, str], others: dict[str, str]) -> models.GeneratedField:
    """Return the column with the names of the facts of which something else was seen than an operator set.

    Both arguments have columns, without `set_` and `seen_`, by the name that the API has for the fact.
    """
    told = {
        **{name: ~Q(**{f"set_{column}": ""}) & ~Q(**{f"seen_{column}": ""}) for name, column in texts.items()},
        **{
            name: Q(**{f"set_{column}__isnull": False, f"seen_{column}__isnull": False})
            for name, column in others.items()
        },
    }
    names = [
        Case(When(both & ~Q(**{f"set_{column}": F(f"seen_{column}")}), then=Value(name)))
        for (name, both), column in zip(told.items(), [*texts.values(), *others.values()], strict=True)
    ]
    return models.GeneratedField(
        expression=Func(
            *names,
            template="array_remove(ARRAY[%(expressions)s], NULL)",
            output_field=ArrayField(models.TextField()),
        ),
        output_field=ArrayField(models.TextField()),
        db_persist=True,
    )


def memory_is_possible(*, column: str, name: str) -> models.CheckConstraint:
    return models.CheckConstraint(condition=Q(**{f"{column}__gt": 0, f"{column}__lt": MEMORY_BOUND_GB}), name=name)
