"""Tenants: whose data it is."""

from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from registry.models.history import history


class Tenant(models.Model):
    """Whose hardware and data it is. Its slug stands in every row of every store, so it never changes.

    Example: `vision-lab`, the team that owns two DGX H100 nodes, 16 cards in all.
    """

    slug = models.SlugField(
        max_length=100, db_index=False, help_text="Stands in every row of this tenant's data; it can't be changed."
    )
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    retention_days = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="For how many days its spans, traces and GPU data are kept. Blank: as long as anybody's.",
    )

    history: ClassVar = history("created_at")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["slug"], name="tenant_slug_unique"),
            models.CheckConstraint(condition=~models.Q(slug=""), name="tenant_slug_not_empty"),
            models.CheckConstraint(condition=models.Q(retention_days__gte=1), name="tenant_retention_positive"),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse what the tables can't keep. Raises ValidationError."""
        super().clean()
        if self.retention_days and self.retention_days > settings.RETENTION_DAYS:
            raise ValidationError(
                {
                    "retention_days": f"Spans are kept for {settings.RETENTION_DAYS} days (AXONIZE_RETENTION_DAYS); "
                    "give fewer, or leave it blank."
                }
            )
