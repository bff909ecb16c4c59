"""Physical GPUs: the cards, as they sit in a node."""

import math
from decimal import Decimal
from typing import Any, ClassVar, Final, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from registry.models.facts import (
    MEMORY_BOUND_GB,
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
from registry.models.tenant import Tenant

__all__ = ["MEMORY_BOUND_GB", "PhysicalGPU", "price_field"]


CAPABILITY: Final = r"^[0-9]{1,3}\.[0-9]{1,3}$"
BUS_ID: Final = r"^([0-9A-Fa-f]{4,8}:)?[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-7]$"
TFLOPS_BOUND: Final = 1e9
WATTS_BOUND: Final = 1e6
_IS_CAPABILITY: Final = RegexValidator(CAPABILITY, "Give a compute capability such as 9.0.")
_IS_BUS_ID: Final = RegexValidator(BUS_ID, "Give a PCIe bus id such as 00000000:65:00.0.")


def _between(bound: float) -> list[Any]:
    """Return the validators of a number above 0 and below a bound."""
    return [MinValueValidator(math.ulp(0.0)), MaxValueValidator(math.nextafter(bound, 0))]


def price_field(help_text: str) -> Any:
    return models.DecimalField(
        "price per hour (USD)",
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text=help_text,
    )


class PhysicalGPUQuerySet(models.QuerySet["PhysicalGPU"]):
    """Reads of cards that recur."""

    def described(self) -> Self:
        """Add the name of each one's node, `node_name`, "" where nobody knows it."""
        return self.annotate(node_name=Coalesce(F("node__name"), Value("")))

    def in_conflict(self) -> Self:
        """Those of which something else was seen than an operator set; `conflicts` names it."""
        return self.exclude(conflicts=[])


class PhysicalGPU(models.Model):
    """A card. `model` and the like are what an operator set, else what was seen last (registry.models.facts).

    Example: `GPU-5f2c1a9e-8d47-4b1c-9a55-0d2f6b7e3c10`, an NVIDIA H100 80GB HBM3 in the SXM5 slot 3 of the node
    `dgx-h100-02`, rented for 2.85 USD an hour.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="physical_gpus", db_index=False)
    uuid = models.CharField("UUID", max_length=255, help_text="As nvidia-smi -L names it: GPU-…")

    set_model = set_text(verbose_name="model", help_text="As NVML names it: NVIDIA H100 80GB HBM3")
    seen_model = seen_text()
    seen_model_at = seen_at()
    model = effective_text("model")

    set_vendor = set_text(verbose_name="vendor", help_text="NVIDIA, AMD, Apple …")
    seen_vendor = seen_text()
    seen_vendor_at = seen_at()
    vendor = effective_text("vendor")

    set_node = models.ForeignKey(
        Node,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name="node",
        help_text="The machine that the card sits in.",
    )
    seen_node = models.ForeignKey(
        Node, on_delete=models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    seen_node_at = seen_at()
    node = GeneratedForeignKey(
        Node, expression=Coalesce(F("set_node"), F("seen_node")), related_name="physical_gpus", verbose_name="node"
    )

    set_memory_total_gb = models.FloatField("memory (GiB)", null=True, blank=True)
    seen_memory_total_gb = models.FloatField("seen memory (GiB)", null=True, blank=True, editable=False)
    seen_memory_total_gb_at = seen_at()
    memory_total_gb = models.GeneratedField(
        expression=Coalesce(F("set_memory_total_gb"), F("seen_memory_total_gb")),
        output_field=models.FloatField(),
        db_persist=True,
        verbose_name="memory (GiB)",
    )

    conflicts = conflict_list(
        texts={"model": "model", "vendor": "vendor"}, others={"node_id": "node", "memory_total_gb": "memory_total_gb"}
    )

    cost_per_hour_usd = price_field("Of the whole card, whether it is in use or not.")
    labels = labels_field()
    architecture = set_text(help_text="Hopper, CDNA 3 …")
    compute_capability = models.CharField(
        max_length=7, blank=True, validators=[_IS_CAPABILITY], help_text="Of NVIDIA's: 9.0 …"
    )
    sm_count = models.PositiveIntegerField(
        "SMs", null=True, blank=True, validators=[MinValueValidator(1)], help_text="Streaming multiprocessors: 132 …"
    )
    tflops = models.FloatField(
        "TFLOPS",
        null=True,
        blank=True,
        validators=_between(TFLOPS_BOUND),
        help_text="At the precision that you compare by.",
    )
    tdp_watts = models.FloatField("TDP (W)", null=True, blank=True, validators=_between(WATTS_BOUND), help_text="700 …")
    numa_node = models.PositiveSmallIntegerField("NUMA node", null=True, blank=True)
    pcie_bus_id = models.CharField(
        "PCIe bus id",
        max_length=16,
        blank=True,
        validators=[_IS_BUS_ID],
        help_text="As nvidia-smi or lspci names it: 00000000:65:00.0",
    )
    # Move with every span, so no index holds them: PostgreSQL then updates the row in place (heap-only tuples).
    first_seen = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)

    objects = PhysicalGPUQuerySet.as_manager()
    history: ClassVar = history(
        *("seen_model", "seen_model_at", "model", "seen_vendor", "seen_vendor_at", "vendor"),
        *("seen_node", "seen_node_at", "node"),
        *("seen_memory_total_gb", "seen_memory_total_gb_at", "memory_total_gb"),
        *("conflicts", "first_seen", "last_seen"),
    )

    class Meta:
        verbose_name = "physical GPU"
        constraints = (
            models.UniqueConstraint(fields=["tenant", "uuid"], name="physical_gpu_uuid_unique"),
            # What compute_resource_set_card_of_tenant and its like refer to.
            models.UniqueConstraint(fields=["tenant", "id"], name="physical_gpu_of_tenant"),
            models.CheckConstraint(condition=~Q(uuid=""), name="physical_gpu_uuid_not_empty"),
            memory_is_possible(column="set_memory_total_gb", name="physical_gpu_memory"),
            memory_is_possible(column="seen_memory_total_gb", name="physical_gpu_seen_memory"),
            models.CheckConstraint(condition=Q(cost_per_hour_usd__gte=0), name="physical_gpu_cost_not_negative"),
            models.CheckConstraint(
                condition=Q(compute_capability="") | Q(compute_capability__regex=CAPABILITY),
                name="physical_gpu_compute_capability",
            ),
            models.CheckConstraint(condition=Q(sm_count__gt=0), name="physical_gpu_sm_count"),
            models.CheckConstraint(condition=Q(tflops__gt=0, tflops__lt=TFLOPS_BOUND), name="physical_gpu_tflops"),
            models.CheckConstraint(condition=Q(tdp_watts__gt=0, tdp_watts__lt=WATTS_BOUND), name="physical_gpu_tdp"),
            models.CheckConstraint(
                condition=Q(pcie_bus_id="") | Q(pcie_bus_id__regex=BUS_ID),
                name="physical_gpu_pcie_bus_id",
            ),
            models.CheckConstraint(condition=Q(last_seen__gte=F("first_seen")), name="physical_gpu_seen_in_order"),
            *labels_constraints("physical_gpu"),
        )
        indexes = (
            models.Index(fields=["tenant", "model"], name="physical_gpu_model"),
            models.Index(fields=["tenant"], condition=~Q(conflicts=[]), name="physical_gpu_conflicts"),
            labels_index("physical_gpu"),
        )

    def __str__(self) -> str:
        model = self.__dict__.get("model") or self.set_model  # a card that is not saved has no generated column yet
        return f"{self.uuid} ({model})" if model else self.uuid

    def clean(self) -> None:
        """Refuse a node of another tenant; the database refuses it too (physical_gpu_set_node_of_tenant)."""
        if self.set_node is not None and self.set_node.tenant_id != self.tenant_id:
            raise ValidationError({"set_node": "This node belongs to another tenant: choose one of the same tenant."})
