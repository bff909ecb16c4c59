"""Physical GPUs: the cards, as they sit in a node."""

from decimal import Decimal
from typing import Final

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from registry.models.tenant import Tenant

# A bound, because PostgreSQL takes NaN and infinity to be above any number.
MEMORY_BOUND_GB: Final = 1e6


class PhysicalGPU(models.Model):
    """A card. What is blank the next sighting fills in; what is set here no sighting changes.

    Example: `GPU-5f2c1a9e-8d47-4b1c-9a55-0d2f6b7e3c10`, an NVIDIA H100 80GB HBM3 in the SXM5 slot 3 of the node
    `dgx-h100-02`, rented for 2.85 USD an hour.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="physical_gpus", db_index=False)
    uuid = models.CharField("UUID", max_length=255, help_text="As nvidia-smi -L names it: GPU-…")
    model = models.CharField(max_length=255, blank=True, help_text="As NVML names it: NVIDIA H100 80GB HBM3")
    vendor = models.CharField(max_length=255, blank=True, help_text="NVIDIA, AMD, Apple …")
    node_id = models.CharField("node", max_length=255, blank=True, help_text="The machine that the card sits in.")
    memory_total_gb = models.FloatField("memory (GiB)", null=True, blank=True)
    cost_per_hour_usd = models.DecimalField(
        "price per hour (USD)",
        max_digits=18,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="Of the whole card, whether it is in use or not.",
    )
    # Moves with every span, so no index holds it: PostgreSQL then updates the row in place (heap-only tuples).
    first_seen = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "physical GPU"
        constraints = (
            models.UniqueConstraint(fields=["tenant", "uuid"], name="physical_gpu_uuid_unique"),
            # What compute_resource_card_of_tenant, refers to.
            models.UniqueConstraint(fields=["tenant", "id"], name="physical_gpu_of_tenant"),
            models.CheckConstraint(condition=~Q(uuid=""), name="physical_gpu_uuid_not_empty"),
            models.CheckConstraint(
                condition=Q(memory_total_gb__gt=0, memory_total_gb__lt=MEMORY_BOUND_GB), name="physical_gpu_memory"
            ),
            models.CheckConstraint(condition=Q(cost_per_hour_usd__gte=0), name="physical_gpu_cost_not_negative"),
            models.CheckConstraint(
                condition=Q(last_seen__gte=models.F("first_seen")), name="physical_gpu_seen_in_order"
            ),
        )
        indexes = (models.Index(fields=["tenant", "node_id"], name="physical_gpu_node"),)

    def __str__(self) -> str:
        return f"{self.uuid} ({self.model})" if self.model else self.uuid
