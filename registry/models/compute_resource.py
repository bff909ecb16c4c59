"""Compute resources: what a process can run on, a full card or a slice of one."""

from decimal import Decimal
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce

from registry.models import mig
from registry.models.described import FULL_CARD, UNKNOWN_SLICE, USUAL_VENDOR, ComputeResourceQuerySet
from registry.models.facts import (
    GeneratedForeignKey,
    conflict_list,
    effective_text,
    memory_is_possible,
    seen_at,
    seen_text,
    set_text,
)
from registry.models.history import history
from registry.models.labels import labels_constraints, labels_field, labels_index
from registry.models.node import Node
from registry.models.physical_gpu import PhysicalGPU, price_field
from registry.models.remembering import Remembering
from registry.models.tenant import Tenant

__all__ = ["FULL_CARD", "UNKNOWN_SLICE", "USUAL_VENDOR", "ComputeResource", "RetiredBy"]


class RetiredBy(models.TextChoices):
    """Why a resource is retired. What the layout of its card tells is withdrawn when the resource is seen again."""

    OPERATOR = "operator"
    LAYOUT = "layout"


class ComputeResource(Remembering):
    """What a process can run on: a full card, or a MIG instance of one. Its UUID is the key of all its data.

    A resource may be seen before its card is known; `physical` is then empty until a sighting or an operator names it.
    `physical` and the like are what an operator set, else what was seen last (registry.models.facts); the profile,
    the memory and the share of SMs follow from the type where nobody says them (registry.models.mig).

    Example: `MIG-8b1f4c52-6a0e-5d3b-b7c9-1e2f3a4b5c6d`, a slice of type `mig_1g.10gb` (one of seven compute slices,
    9.75 GiB) on an NVIDIA H100 80GB HBM3. That card unsliced is a resource of type `full_gpu` with the card's own UUID.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="compute_resources", db_index=False)
    uuid = models.CharField("UUID", max_length=255, help_text="MIG-… of a slice, GPU-… of a full card.")

    set_physical = models.ForeignKey(
        PhysicalGPU, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", verbose_name="card"
    )
    seen_physical = models.ForeignKey(
        PhysicalGPU, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    seen_physical_at = seen_at()
    physical = GeneratedForeignKey(
        PhysicalGPU,
        expression=Coalesce(F("set_physical"), F("seen_physical")),
        related_name="compute_resources",
        verbose_name="card",
    )

    set_resource_type = set_text(
        verbose_name="type", help_text="full_gpu, mig_40gb, mig_1g.10gb … Blank: as it was seen."
    )
    seen_resource_type = seen_text(verbose_name="seen type")
    seen_resource_type_at = seen_at()
    resource_type = effective_text("resource_type", verbose_name="type")

    set_memory_total_gb = models.FloatField("memory (GiB)", null=True, blank=True)
    seen_memory_total_gb = models.FloatField("seen memory (GiB)", null=True, blank=True, editable=False)
    seen_memory_total_gb_at = seen_at()
    memory_total_gb = models.GeneratedField(
        expression=mig.memory_gb(), output_field=models.FloatField(), db_persist=True, verbose_name="memory (GiB)"
    )

    conflicts = conflict_list(
        texts={"resource_type": "resource_type"},
        others={"physical_uuid": "physical", "memory_total_gb": "memory_total_gb"},
    )

    # What the resource's own spans say of its card, for the time in which nobody knows that.
    seen_model = seen_text()
    seen_model_at = seen_at()
    seen_vendor = seen_text()
    seen_vendor_at = seen_at()
    seen_node = models.ForeignKey(
        Node, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    seen_node_at = seen_at()

    set_mig_profile = models.CharField(
        "MIG profile",
        max_length=50,
        blank=True,
        validators=[RegexValidator(mig.PROFILE, "Give a MIG profile such as 1g.10gb.")],
        help_text="1g.10gb … Blank: as the type says.",
    )
    mig_profile = models.GeneratedField(
        expression=mig.profile(),
        output_field=models.CharField(max_length=50),
        db_persist=True,
        verbose_name="MIG profile",
    )
    gi_id = models.PositiveIntegerField("GPU instance", null=True, blank=True, help_text="As nvidia-smi mig -lgi says.")
    ci_id = models.PositiveIntegerField(
        "compute instance", null=True, blank=True, help_text="As nvidia-smi mig -lci says."
    )
    set_sm_share = models.DecimalField(
        "share of SMs",
        max_digits=19,
        decimal_places=mig.SM_SHARE_PLACES,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(1).scaleb(-mig.SM_SHARE_PLACES)), MaxValueValidator(1)],
        help_text="Of the card's, above 0 up to 1. Blank: as the profile says.",
    )
    sm_share = models.GeneratedField(
        expression=mig.sm_share(),
        output_field=models.DecimalField(max_digits=19, decimal_places=mig.SM_SHARE_PLACES),
        db_persist=True,
        verbose_name="share of SMs",
    )
    set_cost_per_hour_usd = price_field("Of this resource. Blank: its share of its card's price.")
    labels = labels_field()
    retired_at = models.DateTimeField(
        "retired", null=True, blank=True, help_text="Since when it is not there any more."
    )
    retired_by = models.CharField(max_length=8, choices=RetiredBy.choices, blank=True, editable=False)
    first_seen = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)

    remembered_field = "retired_at"

    objects = ComputeResourceQuerySet.as_manager()
    history: ClassVar = history(
        *("seen_physical", "seen_physical_at", "physical", "seen_resource_type", "seen_resource_type_at"),
        *("resource_type", "seen_memory_total_gb", "seen_memory_total_gb_at", "memory_total_gb", "conflicts"),
        *("seen_model", "seen_model_at", "seen_vendor", "seen_vendor_at", "seen_node", "seen_node_at"),
        *("mig_profile", "sm_share", "first_seen", "last_seen"),
    )

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["tenant", "uuid"], name="compute_resource_uuid_unique"),
            models.CheckConstraint(condition=~Q(uuid=""), name="compute_resource_uuid_not_empty"),
            memory_is_possible(column="set_memory_total_gb", name="compute_resource_memory"),
            memory_is_possible(column="seen_memory_total_gb", name="compute_resource_seen_memory"),
            models.CheckConstraint(condition=Q(last_seen__gte=F("first_seen")), name="compute_resource_seen_in_order"),
            models.CheckConstraint(
                condition=Q(set_mig_profile="") | Q(set_mig_profile__regex=mig.PROFILE),
                name="compute_resource_mig_profile",
            ),
            models.CheckConstraint(
                condition=Q(set_sm_share__gt=0, set_sm_share__lte=1), name="compute_resource_sm_share"
            ),
            models.CheckConstraint(
                condition=Q(set_cost_per_hour_usd__gte=0), name="compute_resource_cost_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(retired_at=None, retired_by="")
                | Q(retired_at__isnull=False, retired_by__in=RetiredBy.values),
                name="compute_resource_retired_by",
            ),
            *labels_constraints("compute_resource"),
        )
        indexes = (
            models.Index(fields=["tenant", "resource_type"], name="compute_resource_type"),
            models.Index(fields=["tenant"], condition=~Q(conflicts=[]), name="compute_resource_conflicts"),
            labels_index("compute_resource"),
        )

    def __str__(self) -> str:
        kind = self.__dict__.get("resource_type") or self.set_resource_type
        return f"{self.uuid} ({kind})" if kind else self.uuid

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.sign()
        super().save(*args, **kwargs)

    def sign(self) -> None:
        """Note who retired it. Who writes it by the ORM is an operator: what differs from before is their word."""
        if self.differs():
            self.retired_by = RetiredBy.OPERATOR if self.retired_at else ""

    def clean(self) -> None:
        """Refuse a card of another tenant; the database refuses it too (compute_resource_set_card_of_tenant)."""
        if self.set_physical is not None and self.set_physical.tenant_id != self.tenant_id:
            raise ValidationError(
                {"set_physical": "This card belongs to another tenant: choose one of the same tenant."}
            )
