"""Filters of the registry's lists that no field is for: labels, conflicts, retirement."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, TextFilter


class LabelFilter(TextFilter):
    """`team=search`: the rows with this label; `team`: those with any label of this name."""

    title = "label, as team=search"
    parameter_name = "label"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name, is_exact, value = (self.value() or "").partition("=")
        if not name:
            return queryset
        return queryset.filter(labels__contains={name: value}) if is_exact else queryset.filter(labels__has_key=name)


class _YesOrNo(DropdownFilter):
    words: ClassVar[tuple[str, str]]

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(zip(("yes", "no"), self.words, strict=True))


class ConflictFilter(_YesOrNo):
    title = "what was seen"
    parameter_name = "conflict"
    words = ("differs from what is set", "agrees")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "yes":
                return queryset.exclude(conflicts=[])
            case "no":
                return queryset.filter(conflicts=[])
        return queryset


class RetiredFilter(_YesOrNo):
    title = "retirement"
    parameter_name = "retired"
    words = ("retired", "in service")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "yes":
                return queryset.filter(retired_at__isnull=False)
            case "no":
                return queryset.filter(retired_at=None)
        return queryset
