"""Lists of what has labels: their parameters, and what a label of a key and a text is."""

import json
import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final

import django_filters
from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from analytics.filters import parameter_fields
from analytics.params import PageParameters

LABELS_PARAMETER: Final = OpenApiParameter(
    "labels.KEY",
    str,
    description="KEY is a label's key, as in `labels.team=search`; repeatable. Numbers, bools and null match by their "
    "text too.",
)
# Short enough for PostgreSQL's numbers, and for Python to read it without limit.
_NO_TEXT: Final = re.compile(r"true|false|null|-?(0|[1-9][0-9]{0,99})(\.[0-9]{1,100})?")


class LabelledPageParameters(PageParameters):
    """What a list takes whose rows have labels: a page, `filters`, and any number of `labels.KEY=VALUE`."""

    filters: ClassVar[type[django_filters.FilterSet]]
    has_attributes = True
    attribute_prefix = "labels."

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), **parameter_fields(self.filters)}


def has_labels(asked: Iterable[tuple[str, str]]) -> Q:
    """Return the condition that each label has its text, or is a number, bool or null that JSON writes so."""
    return Q(*(_has_label(key, text) for key, text in asked))


def _has_label(key: str, text: str) -> Q:
    is_it = Q(labels__contains={key: text})
    return is_it | Q(labels__contains={key: json.loads(text)}) if _NO_TEXT.fullmatch(text) else is_it
