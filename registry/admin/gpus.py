"""Cards, what processes can run on, and who holds it: linked from card to slice to holder and back."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.utils.safestring import SafeString

from registry.admin.links import filtered_list, page_of
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext
from registry.models.resource_context import ResourceContextQuerySet

# At run time Django's admin classes take no type arguments, hence `type: ignore[type-arg]` on each class below.


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
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


class SliceInline(ReadOnlyInline):
    model = ComputeResource
    verbose_name_plural = "what processes can run on"
    fk_name = "physical"
    fields = ("uuid", "resource_type", "memory_total_gb", "retired_at", "first_seen", "last_seen")
    ordering = ("uuid",)


class HolderInline(ReadOnlyInline):
    """The open contexts only: the closed ones of a slice grow without end, and have their own list."""

    model = ResourceContext
    verbose_name_plural = "who holds it now"
    fields = ("user_label", "hostname", "pod", "process_id", "labels", "attached_at", "last_seen")
    ordering = ("-attached_at", "-pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ResourceContext]:
        contexts: QuerySet[ResourceContext] = super().get_queryset(request)
        return contexts.filter(detached_at=None)


class OfOneTenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What belongs to a tenant for good: its key is fixed once it stands, and so are the times of its sightings."""

    autocomplete_fields: ClassVar[tuple[str, ...]] = ("tenant",)
    key_fields = ("tenant", "uuid")
    seen_fields: ClassVar[tuple[str, ...]] = ("first_seen", "last_seen")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return self.seen_fields if obj is None else (*self.key_fields, *self.seen_fields)


SEEN = ("first_seen", "last_seen")
SEEN_OF_CARD = ("seen_model", "seen_vendor", "seen_node", "seen_memory_total_gb")
SPECIFICATION = (
    ("architecture", "compute_capability"),
    ("sm_count", "tflops", "tdp_watts"),
    ("numa_node", "pcie_bus_id"),
)


@admin.register(Node)
class NodeAdmin(OfOneTenantAdmin):
    key_fields = ("tenant", "name")
    list_display = ("name", "cloud_provider", "region", "machine_type", "driver_version", "cuda_version", "last_seen")
    list_filter = ("tenant", "cloud_provider", "region")
    search_fields = ("name",)
    ordering = ("name",)
    fields = (
        ("tenant", "name"),
        ("cloud_provider", "region", "zone", "machine_type"),
        ("driver_version", "cuda_version"),
        "labels",
        SEEN,
    )


@admin.register(PhysicalGPU)
class PhysicalGPUAdmin(OfOneTenantAdmin):
    list_display = ("uuid", "model", "vendor", "node", "memory_total_gb", "cost_per_hour_usd", "slices", "last_seen")
    list_filter = ("tenant", "vendor", "model", "node", ("cost_per_hour_usd", admin.EmptyFieldListFilter))
    search_fields = ("uuid", "model", "node__name", "compute_resources__uuid")
    search_help_text = "UUID of the card or of a slice, model, node"
    ordering = ("node__name", "uuid")
    autocomplete_fields = ("tenant", "set_node")
    list_select_related = ("node",)
    inlines = (SliceInline,)
    seen_fields = ("conflicts", "seen_model", "seen_vendor", "seen_node", "seen_memory_total_gb", *SEEN)
    fieldsets = (
        (None, {"fields": (("tenant", "uuid"), "cost_per_hour_usd", "labels")}),
        (
            "Where it is not as it was seen",
            {"fields": (("set_model", "set_vendor"), ("set_node", "set_memory_total_gb"))},
        ),
        ("As it was seen", {"fields": ("conflicts", SEEN_OF_CARD, SEEN)}),
        ("Specification", {"fields": SPECIFICATION}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        cards: QuerySet[Any] = super().get_queryset(request).annotate(slice_count=Count("compute_resources"))
        return cards

    @admin.display(ordering="slice_count")
    def slices(self, card: Any) -> SafeString:
        return filtered_list("computeresource", card.slice_count, physical__id__exact=card.pk)


SEEN_OF_RESOURCE = ("seen_physical", "seen_resource_type", "seen_memory_total_gb")


@admin.register(ComputeResource)
class ComputeResourceAdmin(OfOneTenantAdmin):
    list_display = ("uuid", "resource_type", "card", "node", "memory_total_gb", "holders", "last_seen")
    list_filter = ("tenant", "resource_type", ("physical", admin.EmptyFieldListFilter), "physical__node")
    search_fields = ("uuid", "physical__uuid", "physical__node__name", "seen_node__name", "contexts__hostname")
    search_help_text = "UUID of the resource or of its card, node, host of a holder"
    ordering = ("physical__node__name", "physical__uuid", "uuid")
    autocomplete_fields = ("tenant", "set_physical")
    list_select_related = ("physical__node", "seen_node")
    inlines = (HolderInline,)
    seen_fields = ("all_contexts", "conflicts", *SEEN_OF_RESOURCE, "seen_model", "seen_vendor", "seen_node", *SEEN)
    fieldsets = (
        (None, {"fields": (("tenant", "uuid"), "set_cost_per_hour_usd", "labels", "retired_at")}),
        (
            "Where it is not as it was seen",
            {"fields": ("set_physical", ("set_resource_type", "set_memory_total_gb"))},
        ),
        ("MIG", {"fields": (("set_mig_profile", "set_sm_share"), ("gi_id", "ci_id"))}),
        (
            "As its spans say",
            {"fields": ("conflicts", SEEN_OF_RESOURCE, ("seen_model", "seen_vendor", "seen_node"), SEEN)},
        ),
        ("Who held it", {"fields": ("all_contexts",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        holders = Count("contexts", filter=Q(contexts__detached_at=None))
        resources: QuerySet[Any] = (
            super().get_queryset(request).annotate(holder_count=holders, context_count=Count("contexts"))
        )
        return resources

    @admin.display(ordering="physical__uuid")
    def card(self, resource: ComputeResource) -> SafeString | None:
        card = resource.physical
        return None if card is None else page_of("physicalgpu", card.pk, card)

    @admin.display(ordering="physical__node__name")
    def node(self, resource: ComputeResource) -> Node | None:
        card = resource.physical
        return (card.node if card else None) or resource.seen_node

    @admin.display(ordering="holder_count", description="held by")
    def holders(self, resource: Any) -> SafeString:
        filters = {"resource__id__exact": resource.pk, "detached_at__isempty": 1}
        return filtered_list("resourcecontext", resource.holder_count, **filters)

    @admin.display(description="contexts, the ended ones too")
    def all_contexts(self, resource: Any) -> SafeString:
        return filtered_list("resourcecontext", resource.context_count, resource__id__exact=resource.pk)


@admin.register(ResourceContext)
class ResourceContextAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("holder", "held", "hostname", "pod", "process_id", "attached_at", "detached_at", "last_seen")
    list_filter = (
        ("detached_at", admin.EmptyFieldListFilter),
        "resource__tenant",
        "resource__resource_type",
        "user_label",
        "attached_at",
    )
    search_fields = ("user_label", "hostname", "pod", "resource__uuid", "resource__physical__uuid")
    search_help_text = "label, host, pod, UUID of the resource or of its card"
    ordering = ("-attached_at", "-pk")
    date_hierarchy = "attached_at"
    autocomplete_fields = ("resource",)
    list_select_related = ("resource",)
    readonly_fields = ("held", "last_seen")
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
        return page_of("computeresource", context.resource_id, context.resource)

    @admin.action(description="End the selected contexts now", permissions=["change"])
    def detach(self, request: HttpRequest, contexts: ResourceContextQuerySet) -> None:
        ended = contexts.filter(detached_at=None, attached_at__lte=Now()).end(timezone.now())
        self.message_user(request, f"{ended} context{pluralize(ended)} ended.")
