"""What all lists and pages of the registry have in common: the look, keys that stay, panels beside the form."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.db.models import DecimalField
from django.http import HttpRequest
from django.http.response import HttpResponse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from registry.admin.history import HistoryMixin


@dataclass(frozen=True)
class Panel:
    """A section of an object's page that is looked at and not edited: a table, or `html` in its place.

    `empty` stands there when the table has no row; `more` is what leads on, such as a link to the whole list.
    """

    title: str
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()
    empty: str = ""
    more: SafeString | str = ""
    html: SafeString | str = ""


class PlainDecimalField(forms.DecimalField):
    """Shows 2.85 and not 2.850000."""

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class RegistryAdmin(ModelAdmin):
    """A list as wide as the window, which counts only what its filters leave, and a page with panels."""

    formfield_overrides: ClassVar = {DecimalField: {"form_class": PlainDecimalField}}
    list_fullwidth = True
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    warn_unsaved_form = True
    change_form_outer_before_template = "registry/admin/panels_before.html"
    change_form_outer_after_template = "registry/admin/panels_after.html"

    def panels_before(self, request: HttpRequest, obj: Any) -> Sequence[Panel]:
        """Return what stands above the form of an object."""
        return ()

    def panels_after(self, request: HttpRequest, obj: Any) -> Sequence[Panel]:
        """Return what stands below it."""
        return ()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context["panels_before"] = self.panels_before(request, obj)
            context["panels_after"] = self.panels_after(request, obj)
        response: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return response


class OfOneTenantAdmin(HistoryMixin, RegistryAdmin):
    """What belongs to a tenant for good: its key is fixed once it stands, and so are the times of its sightings."""

    autocomplete_fields: ClassVar[tuple[str, ...]] = ("tenant",)
    key_fields: Sequence[str] = ("tenant", "uuid")
    seen_fields: ClassVar[tuple[str, ...]] = ("first_seen", "last_seen")
    # What a model's save() writes besides a field, by the field.
    follows: ClassVar[dict[str, str]] = {}

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.seen_fields if obj is None else (*self.key_fields, *self.seen_fields)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        """Write what was edited and no other column: in the meantime a sighting may have."""
        if not change:
            super().save_model(request, obj, form, change)
        elif edited := [name for name in form.changed_data if name in form.fields]:
            obj.save(update_fields=[*edited, *(self.follows.get(name, name) for name in edited)])


class ReadOnlyInline(TabularInline):
    """A table of what belongs to the object, each row with a link to where it is edited."""

    extra = 0
    can_delete = False
    show_change_link = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
