"""What operators set against what was seen: shown beside each other, taken back, or taken over, one or many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.validators import EMPTY_VALUES
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.defaultfilters import pluralize
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString

from registry.admin.base import Panel
from registry.admin.links import ago, page_of
from registry.history import update_many

# Says that an action was asked for on the page of its one object, which it then leads back to.
FROM_PAGE: Final = "from_page"

# What the facts are called that have another name as columns.
_NAMES: Final = {"memory_total_gb": "memory (GiB)", "physical": "card", "resource_type": "type"}


@dataclass(frozen=True)
class Fact:
    """One fact of an object: what counts, what is set, what was seen and when, and whether these two differ."""

    name: str
    counts: Any
    set: Any
    seen: Any
    seen_at: Any
    differs: bool


def locked(rows: QuerySet[Any]) -> list[Any]:
    """Return the rows themselves, locked until the transaction ends, in the order in which every writer locks them."""
    chosen = rows.model._default_manager.filter(pk__in=rows.order_by().values("pk"))  # noqa: SLF001  Django's way
    return list(chosen.select_for_update().order_by("pk"))


class CorrectionsMixin:
    """For a model with columns `set_x` and `seen_x`; `facts` has each x by the name that `conflicts` has for it."""

    facts: ClassVar[Mapping[str, str]]

    @admin.display(description="conflict")
    def conflict(self, obj: Any) -> SafeString | str:
        if not obj.conflicts:
            return ""
        names = ", ".join(_NAMES.get(self.facts[name], self.facts[name]) for name in obj.conflicts)
        return render_to_string("registry/admin/conflict.html", {"names": names})

    @admin.action(description="Take the correction back: what was seen counts", permissions=["change"])
    def clear_corrections(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        def clear(obj: Any) -> bool:
            corrected = [x for x in self.facts.values() if _is_set(obj, x)]
            for x in corrected:
                setattr(obj, f"set_{x}", obj._meta.get_field(f"set_{x}").get_default())  # noqa: SLF001
            return bool(corrected)

        back: HttpResponseBase | None = self._changed(request, chosen, clear, "back to what was seen")
        return back

    @admin.action(description="Accept what was seen where it differs", permissions=["change"])
    def accept_seen(self, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        def accept(obj: Any) -> bool:
            for name in obj.conflicts:
                x = self.facts[name]
                setattr(obj, _column(obj, f"set_{x}"), getattr(obj, _column(obj, f"seen_{x}")))
            return bool(obj.conflicts)

        back: HttpResponseBase | None = self._changed(request, chosen, accept, "set to what was seen")
        return back

    def _changed(self: Any, request: HttpRequest, chosen: QuerySet[Any], change: Any, done: str) -> Any:
        with transaction.atomic():
            changed = [obj for obj in locked(chosen) if change(obj)]
            update_many(self.model, changed, [f"set_{x}" for x in self.facts.values()])
        count = len(changed)
        name = self.opts.verbose_name if count == 1 else self.opts.verbose_name_plural
        self.message_user(request, f"{count} {name} {done}.")
        return back_to_page(request, self.opts)

    def facts_panel(self: Any, request: HttpRequest, obj: Any) -> Sequence[Panel]:
        """Return what counts, what is set and what was seen, beside each other; no panel where nothing is known."""
        facts = [
            Fact(
                name=_NAMES.get(x, x),
                counts=_shown(getattr(obj, x)),
                set=_shown(getattr(obj, f"set_{x}")),
                seen=_shown(getattr(obj, f"seen_{x}")),
                seen_at=ago(getattr(obj, f"seen_{x}_at")),
                differs=name in obj.conflicts,
            )
            for name, x in self.facts.items()
        ]
        if all(fact.counts is None for fact in facts):
            return ()
        context = {
            "facts": facts,
            "may_change": any(fact.set for fact in facts) and self.has_change_permission(request, obj),
            "is_conflict": bool(obj.conflicts),
            "address": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
            "checkbox": ACTION_CHECKBOX_NAME,
            "pk": obj.pk,
            "from_page": FROM_PAGE,
        }
        return (Panel("What it is", html=render_to_string("registry/admin/facts.html", context, request)),)


def back_to_page(request: HttpRequest, opts: Any) -> HttpResponseRedirect | None:
    """Return the way back to the page that an action was asked for on; None where it was the list."""
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    if FROM_PAGE not in request.POST or len(selected) != 1 or not selected[0].isdecimal():
        return None
    return HttpResponseRedirect(reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=selected))


def told(count: int, noun: str, done: str) -> str:
    """Return a sentence, such as `3 cards moved.`, of what was done."""
    return f"{count:,} {noun}{pluralize(count)} {done}."


def _shown(value: Any) -> Any:
    """Return a value as the page shows it, what has a page of its own as a link; None for what is blank."""
    return page_of(str(value._meta.model_name), value.pk, value) if isinstance(value, Model) else value or None  # noqa: SLF001


def _column(obj: Any, name: str) -> str:
    """Return the attribute of a field's own value: of a foreign key, what it holds and not what it leads to."""
    return str(obj._meta.get_field(name).attname)  # noqa: SLF001  Django's way


def _is_set(obj: Any, x: str) -> bool:
    return getattr(obj, _column(obj, f"set_{x}")) not in EMPTY_VALUES
