"""Bulk actions that ask something first: a page between the list and the change, with a form and what is chosen."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

_SHOWN = 10
_ANSWERED = "answered"


def ask(
    model_admin: Any,
    request: HttpRequest,
    chosen: QuerySet[Any],
    *,
    form_class: type[forms.Form],
    title: str,
    change: Callable[[QuerySet[Any], dict[str, Any]], str],
) -> HttpResponseBase | None:
    """Ask for what an action needs, then run it on the chosen rows.

    Args:
        model_admin: whose list the rows were chosen in.
        request: of the list's form, or of this page's.
        chosen: the rows, as Django hands them to an action.
        form_class: what is asked for.
        title: what will happen, as the page's title: `Set the price of`.
        change: takes the rows and the form's values; returns what it did, a sentence for the list.

    Returns:
        The page that asks, None once it was answered and done.

    """
    is_answered = _ANSWERED in request.POST
    form = form_class(request.POST if is_answered else None)
    if is_answered and form.is_valid():
        model_admin.message_user(request, change(chosen, form.cleaned_data))
        return None
    count = chosen.count()
    name = model_admin.opts.verbose_name if count == 1 else model_admin.opts.verbose_name_plural
    context = {
        **model_admin.admin_site.each_context(request),
        "title": f"{title} {count:,} {name}",
        "opts": model_admin.opts,
        "form": form,
        "action": request.POST.get("action", ""),
        "select_across": request.POST.get("select_across", "0"),
        "checkbox": ACTION_CHECKBOX_NAME,
        "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
        "answered": _ANSWERED,
        "back": request.get_full_path(),
        "shown": chosen[:_SHOWN],
        "unshown": max(count - _SHOWN, 0),
        "media": model_admin.media + form.media,
    }
    return TemplateResponse(request, "registry/admin/action.html", context)
