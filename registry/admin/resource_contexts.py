"""Who held what when, in the admin."""

from typing import ClassVar

from django.contrib import admin
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, FieldTextFilter, RangeDateTimeFilter

from registry.admin.base import OfOneTenantAdmin
from registry.admin.corrections import locked, told
from registry.admin.links import ago, page_of, uuid_text
from registry.history import update_many
from registry.models import EndedBy, ResourceContext


@admin.register(ResourceContext)
class ResourceContextAdmin(OfOneTenantAdmin):
    key_fields = ("resource",)
    seen_fields = ("held", "last_seen")
    follows: ClassVar = {"detached_at": "ended_by"}
    list_display = ("holder", "held", "hostname", "pod", "process_id", "attached_at", "detached_at", "seen")
    list_filter = (
        ("detached_at", admin.EmptyFieldListFilter),
        ("resource__tenant", AutocompleteSelectFilter),
        ("resource__physical", AutocompleteSelectFilter),
        ("user_label", FieldTextFilter),
        ("attached_at", RangeDateTimeFilter),
    )
    search_fields = ("user_label", "hostname", "pod", "resource__uuid", "resource__physical__uuid")
    search_help_text = "label, host, pod, UUID of the resource or of its card"
    ordering = ("-attached_at", "-pk")
    date_hierarchy = "attached_at"
    autocomplete_fields = ("resource",)
    list_select_related = ("resource",)
    actions = ("detach",)
    fields = (
        ("resource", "held"),
        ("user_label", "hostname", "pod", "process_id"),
        "labels",
        ("attached_at", "detached_at", "last_seen"),
    )

    @admin.display(ordering="user_label", description="label")
    def holder(self, context: ResourceContext) -> str:
        return context.user_label or "unlabelled"

    @admin.display(ordering="resource__uuid", description="resource")
    def held(self, context: ResourceContext) -> SafeString:
        return page_of("computeresource", context.resource_id, uuid_text(context.resource.uuid))

    @admin.display(ordering="last_seen", description="last seen")
    def seen(self, context: ResourceContext) -> SafeString | None:
        return ago(context.last_seen)

    @admin.action(description="End the selected contexts now", permissions=["change"])
    def detach(self, request: HttpRequest, contexts: QuerySet[ResourceContext]) -> None:
        with transaction.atomic():
            now = timezone.now()
            ended = [c for c in locked(contexts) if c.detached_at is None and c.attached_at <= now]
            for context in ended:
                context.detached_at, context.ended_by = now, EndedBy.OPERATOR
            update_many(ResourceContext, ended, ["detached_at", "ended_by"])
        self.message_user(request, told(len(ended), "context", "ended"))
