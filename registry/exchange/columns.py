"""Columns of a CSV file: a cell becomes a value as a form's field would take it, and a value the same cell again."""

import json
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from import_export.fields import Field
from import_export.widgets import Widget

from registry.models import Tenant


class FormFieldWidget(Widget):
    """Reads a cell as a form would, so that both refuse the same things in the same words."""

    def __init__(self, form_field: forms.Field) -> None:
        super().__init__()
        self.form_field = form_field

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """Return the cell's value. Raises ValueError with a sentence."""
        try:
            return self.form_field.clean(value)
        except ValidationError as error:
            raise ValueError(" ".join(error.messages)) from error

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        if value is None:
            return ""
        return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


class LabelsWidget(FormFieldWidget):
    """Labels as a JSON object; an empty cell is none."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        return super().clean(value, row, **kwargs) or {}

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""


class TenantWidget(Widget):
    """A tenant by its slug; each is looked up once a file."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, Tenant] = {}

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Tenant:
        """Return the tenant. Raises ValueError with a sentence."""
        if not self.known:
            self.known = {tenant.slug: tenant for tenant in Tenant.objects.all()}
        try:
            return self.known[value]
        except KeyError:
            raise ValueError(f"There is no tenant with the slug “{value}”.") from None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value.slug)


class OfTenantWidget(Widget):
    """What belongs to the row's tenant, by its name there: a node by its name, a card by its UUID.

    What a file names is looked up at once, by `look_up`.
    """

    def __init__(self, model: type[Model], name: str) -> None:
        super().__init__()
        self.model = model
        self.name = name
        self.known: dict[tuple[str, str], Any] = {}

    def look_up(self, names: set[str]) -> None:
        rows: Any = self.model._default_manager.filter(**{f"{self.name}__in": names})  # noqa: SLF001  Django's way
        self.known = {(row.tenant.slug, getattr(row, self.name)): row for row in rows.select_related("tenant")}

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        """Return the row, None for an empty cell. Raises ValueError with a sentence."""
        if not value:
            return None
        try:
            return self.known[row["tenant"], value]
        except KeyError:
            noun = self.model._meta.verbose_name  # noqa: SLF001  Django's way
            raise ValueError(f"The tenant has no {noun} “{value}”.") from None

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(getattr(value, self.name))


def column(model: type[Model], attribute: str, name: str = "") -> Field:
    """Return the column of a field that a form could edit, by its own name if there is no better one."""
    form_field: Any = model._meta.get_field(attribute).formfield()  # type: ignore[union-attr]  # noqa: SLF001  Django's way
    widget = LabelsWidget if isinstance(form_field, forms.JSONField) else FormFieldWidget
    return Field(column_name=name or attribute, attribute=attribute, widget=widget(form_field))


def seen_column(attribute: str, name: str = "", widget: Widget | None = None) -> Field:
    """Return a column that stands there to be read: what was seen. An import passes over it."""
    return Field(
        column_name=name or attribute,
        attribute=attribute,
        readonly=True,
        widget=widget or FormFieldWidget(forms.CharField(required=False)),
    )
