"""Labels of many rows at once: set by name, taken away, the others left as they are."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from unfold.widgets import UnfoldAdminTextInputWidget

from registry.admin.actions import ask
from registry.admin.corrections import locked, told
from registry.history import update_many


class LabelsForm(forms.Form):
    labels = forms.CharField(
        help_text="team=search, rack=b7 … Other labels stay; team= takes this one away.",
        widget=UnfoldAdminTextInputWidget,
    )

    def clean_labels(self) -> dict[str, str]:
        """Return the labels by name, "" for one that goes."""
        labels = {}
        for part in str(self.cleaned_data["labels"]).split(","):
            name, is_given, value = part.partition("=")
            if not (name.strip() and is_given):
                raise ValidationError("Give names and values, as in team=search, rack=b7.")
            labels[name.strip()] = value.strip()
        return labels


class LabelsMixin:
    """For a model with labels."""

    @admin.action(description="Set labels", permissions=["change"])
    def set_labels(self: Any, request: HttpRequest, chosen: QuerySet[Any]) -> HttpResponseBase | None:
        def change(chosen: QuerySet[Any], answer: dict[str, Any]) -> str:
            with transaction.atomic():
                changed = []
                for row in locked(chosen):
                    labels = {name: value for name, value in {**row.labels, **answer["labels"]}.items() if value}
                    if labels != row.labels:
                        row.labels = labels
                        changed.append(row)
                update_many(self.model, changed, ["labels"])
            return told(len(changed), "row", "labelled")

        return ask(self, request, chosen, form_class=LabelsForm, title="Set labels of", change=change)
