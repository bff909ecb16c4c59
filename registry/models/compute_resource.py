"""Compute resources: what a process can run on, a full card or a slice of one."""

from typing import Final, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Coalesce, NullIf

from registry.models.physical_gpu import MEMORY_BOUND_GB, PhysicalGPU
from registry.models.tenant import Tenant

# What is taken to be so where nobody says otherwise (docs/conventions.md); so it is not worth storing.
FULL_CARD: Final = "full_gpu"
UNKNOWN_SLICE: Final = "mig"
USUAL_VENDOR: Final = "NVIDIA"


class ComputeResourceQuerySet(models.QuerySet["ComputeResource"]):
    """Reads of compute resources that recur."""

    def of_tenant(self, slug: str) -> Self:
        return self.filter(tenant__slug=slug)

    def described(self) -> Self:
        """Add what the registry says of each: `physical_uuid`, `model`, `vendor`, `node_id`, `cost_per_hour_usd`.

        The card's word counts; what it leaves blank comes from the resource's own spans. Texts are "" where unknown,
        but `type_or_guess` and `vendor_or_guess` never are: they fall back on what is usual.
        """
        return self.annotate(
            type_or_guess=Case(
                When(~Q(resource_type=""), then=F("resource_type")),
                When(physical__uuid=F("uuid"), then=Value(FULL_CARD)),
                default=Value(UNKNOWN_SLICE),
            ),
            physical_uuid=Coalesce(F("physical__uuid"), Value("")),
            model=_card_or_seen("model"),
            vendor=_card_or_seen("vendor"),
            vendor_or_guess=Coalesce(NullIf(_card_or_seen("vendor"), Value("")), Value(USUAL_VENDOR)),
            node_id=_card_or_seen("node_id"),
            cost_per_hour_usd=F("physical__cost_per_hour_usd"),
        )

    def siblings_of(self, resource: "ComputeResource") -> Self:
        """Return the other resources on the same card; none where its card is not known."""
        if resource.physical_id is None:
            return self.none()
        return self.filter(physical_id=resource.physical_id).exclude(pk=resource.pk)


def _card_or_seen(field: str) -> Coalesce:
    return Coalesce(NullIf(F(f"physical__{field}"), Value("")), F(f"seen_{field}"))


class ComputeResource(models.Model):
    """What a process can run on: a full card, or a MIG instance of one. Its UUID is the key of all its data.

    A resource may be seen before its card is known; `physical` is then empty until a sighting or an operator names it.

    Example: `MIG-8b1f4c52-6a0e-5d3b-b7c9-1e2f3a4b5c6d`, a slice of type `mig_1g.10gb` (one of seven compute slices,
    9.75 GiB) on an NVIDIA H100 80GB HBM3. That card unsliced is a resource of type `full_gpu` with the card's own UUID.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="compute_resources", db_index=False)
    physical = models.ForeignKey(
        PhysicalGPU,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="compute_resources",
        verbose_name="card",
    )
    uuid = models.CharField("UUID", max_length=255, help_text="MIG-… of a slice, GPU-… of a full card.")
    resource_type = models.CharField(
        "type", max_length=255, blank=True, help_text="full_gpu, mig_40gb, mig_1g.10gb … Blank: not known yet."
    )
    memory_total_gb = models.FloatField("memory (GiB)", null=True, blank=True)
    # What the resource's own spans say, for the time in which nobody knows its card.
    seen_model = models.CharField(max_length=255, blank=True, editable=False)
    seen_vendor = models.CharField(max_length=255, blank=True, editable=False)
    seen_node_id = models.CharField("seen node", max_length=255, blank=True, editable=False)
    first_seen = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ComputeResourceQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["tenant", "uuid"], name="compute_resource_uuid_unique"),
            models.CheckConstraint(condition=~Q(uuid=""), name="compute_resource_uuid_not_empty"),
            models.CheckConstraint(
                condition=Q(memory_total_gb__gt=0, memory_total_gb__lt=MEMORY_BOUND_GB), name="compute_resource_memory"
            ),
            models.CheckConstraint(condition=Q(last_seen__gte=F("first_seen")), name="compute_resource_seen_in_order"),
        )

    def __str__(self) -> str:
        return f"{self.uuid} ({self.resource_type})" if self.resource_type else self.uuid

    def clean(self) -> None:
        """Refuse a card of another tenant; the database refuses it too (compute_resource_card_of_tenant)."""
        if self.physical is not None and self.physical.tenant_id != self.tenant_id:
            raise ValidationError({"physical": "This card belongs to another tenant: choose one of the same tenant."})
