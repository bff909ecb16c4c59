"""Dead letters: spans that were acknowledged and can't be stored."""

from django.db import models
from django.db.models import Q, QuerySet


class DeadLetterQuerySet(models.QuerySet["DeadLetter"]):
    """Reads of dead letters that recur."""

    def listed(self) -> QuerySet["DeadLetter"]:
        """Return the letters without their bodies, which may be large, the newest first."""
        return self.defer("body").order_by("-failed_at", "-pk")


class DeadLetter(models.Model):
    """Spans of one request that ClickHouse refuses for good, kept until somebody replays or deletes them.

    Example: a span whose kind is 77, sent by a patched SDK past an older version's validation, with its resource and
    scope; error `UNKNOWN_ELEMENT_OF_ENUM`.
    """

    tenant = models.CharField(
        max_length=200, db_index=False, help_text="No foreign key: a letter is kept whatever the registry says."
    )
    batch_id = models.CharField(max_length=64)
    number = models.PositiveIntegerField(help_text="Counts the letters of a batch.")
    error = models.CharField(max_length=100, help_text="The name of ClickHouse's error, or what else is wrong.")
    reason = models.CharField(max_length=1000)
    failed_at = models.DateTimeField(help_text="When it was found that the spans can't be stored.")
    spans = models.PositiveIntegerField(help_text="0 where the bytes can't be decoded.")
    size_bytes = models.PositiveBigIntegerField()
    body = models.BinaryField(
        help_text="An ExportTraceServiceRequest with only these spans, or the bytes that can't be decoded."
    )

    objects = DeadLetterQuerySet.as_manager()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["batch_id", "number"], name="dead_letter_batch_number_unique"),
            models.CheckConstraint(condition=~Q(batch_id=""), name="dead_letter_batch_not_empty"),
        )
        indexes = (
            models.Index(fields=["-failed_at", "-id"], name="dead_letter_newest"),
            models.Index(fields=["tenant", "-failed_at"], name="dead_letter_tenant_newest"),
            models.Index(fields=["error", "-failed_at"], name="dead_letter_error_newest"),
        )

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.number}"
