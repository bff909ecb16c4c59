"""Which rows of PostgreSQL are on this page of a list? Those after a key, so the list may change meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from analytics.params import Page


@dataclass(frozen=True)
class Rows:
    """The rows of one page, how many there are on all, and the cursor of the next, None on the last."""

    rows: list[Any]
    total: int
    next: str | None


def find_rows(wanted: QuerySet[Any, Any], *, order: Sequence[str], page: Page) -> Rows:
    """Return a page of `wanted`, of models or of values(). Two statements.

    `order` is as order_by() has it, of columns that are never null, the last of them unique.
    """
    total = wanted.count()
    after = Q() if page.after is None else _after(order, page.after)
    rows = list(wanted.filter(after).order_by(*order)[page.skip : page.skip + page.limit + 1])
    shown = rows[: page.limit]
    has_next = len(rows) > page.limit
    return Rows(rows=shown, total=total, next=page.next(_key(shown[-1], order)) if has_next else None)


def _after(order: Sequence[str], key: Sequence[Any]) -> Q:
    """Return (a, b, …) > (x, y, …) written out, for each column may have its own direction."""
    after, same_so_far = Q(), Q()
    for column, value in zip(order, key, strict=True):
        name = column.removeprefix("-")
        beyond = "lt" if column.startswith("-") else "gt"
        after |= same_so_far & Q(**{f"{name}__{beyond}": value})
        same_so_far &= Q(**{name: value})
    return after


def _key(row: Any, order: Sequence[str]) -> list[Any]:
    names = [column.removeprefix("-") for column in order]
    values = [row[name] if isinstance(row, Mapping) else getattr(row, name) for name in names]
    return [value.isoformat() if isinstance(value, datetime) else value for value in values]
