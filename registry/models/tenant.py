"""Tenants: whose data it is."""

from typing import ClassVar

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

    history: ClassVar = history("created_at")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["slug"], name="tenant_slug_unique"),
            models.CheckConstraint(condition=~models.Q(slug=""), name="tenant_slug_not_empty"),
        )

    def __str__(self) -> str:
        return self.name
