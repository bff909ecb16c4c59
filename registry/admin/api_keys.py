"""API keys: made, of whom and for what, when last used, revoked. A key itself is shown once, when it is made."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.utils.html import format_html
from rest_framework_api_key import admin as library_admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, DropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from registry.admin.base import RegistryAdmin
from registry.models import ApiKey
from registry.models.api_key import Scope

# The library registers its own model too, whose keys open nothing here.
admin.site.unregister(library_admin.APIKey)  # type: ignore[attr-defined]  # imported there, not declared


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes none at run time
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=ApiKey._meta.get_field("scopes").help_text,  # noqa: SLF001  Django's documented way to a field
    )

    class Meta:
        model = ApiKey
        exclude = ("revoked",)  # noqa: DJ006  all others; revoking is an action, for good


class StateFilter(DropdownFilter):
    title = parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in ("usable", "expired", "revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "usable":
                return queryset.filter(pk__in=ApiKey.objects.usable())
            case "expired":
                return queryset.filter(revoked=False).exclude(pk__in=ApiKey.objects.usable())
            case "revoked":
                return queryset.filter(revoked=True)
        return queryset


class ScopeFilter(DropdownFilter):
    title = parameter_name = "scope"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(scope, scope) for scope in Scope.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        scope = self.value()
        return queryset if scope is None else queryset.filter(scopes__contains=[scope])


@admin.register(ApiKey)
class ApiKeyAdmin(RegistryAdmin):
    form = ApiKeyForm
    list_display = ("prefix", "name", "tenant", "scope_list", "state", "created", "expiry_date", "last_used_at")
    list_filter = (("tenant", AutocompleteSelectFilter), ScopeFilter, StateFilter)
    search_fields = ("name", "prefix", "tenant__slug")
    search_help_text = "name or prefix of the key, tenant"
    autocomplete_fields = ("tenant",)
    actions = ("revoke",)
    fieldsets = (
        (None, {"fields": (("tenant", "name"), "scopes", "expiry_date")}),
        ("Limits", {"fields": (("ingest_spans_per_second", "requests_per_minute"),)}),
    )
    made_fieldset = ("As it is", {"fields": ("prefix", "state", ("created", "last_used_at"))})

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return self.fieldsets if obj is None else (*self.fieldsets, self.made_fieldset)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return () if obj is None else ("tenant", "prefix", "state", "created", "last_used_at")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody change a key that is revoked: what it was is part of its history."""
        return super().has_change_permission(request, obj) and not (obj is not None and obj.revoked)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        if change:
            # No other column: in the meantime the key may have been revoked, and used.
            obj.save(update_fields=form.changed_data)
            return
        key = ApiKey.objects.assign_key(obj)
        obj.save()
        shown = format_html("The key of {} is <code>{}</code> Keep it well: it is not shown again.", obj.name, key)
        messages.warning(request, shown)

    @admin.display(description="scopes")
    def scope_list(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.action(description="Revoke the selected keys, for good", permissions=["change"])
    def revoke(self, request: HttpRequest, keys: QuerySet[Any]) -> None:
        revoked = ApiKey.objects.filter(pk__in=keys).revoke()
        self.message_user(request, f"{revoked} key{pluralize(revoked)} revoked. Within 10 seconds nobody is let in.")
