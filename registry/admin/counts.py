"""How many rows belong to each row of a list: subqueries, which PostgreSQL answers for the page's rows alone."""

from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce


def count_of(rows: QuerySet[Any], field: str) -> Coalesce:
    """Return an annotation: how many of `rows` name the outer row in `field`, a foreign key or a path to one."""
    of_outer = rows.filter(**{field: OuterRef("pk")}).order_by().values(field)
    return Coalesce(Subquery(of_outer.annotate(count=Count("*")).values("count")), 0)
