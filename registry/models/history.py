"""History of who changed what: a row for each edit by the admin or REST; sightings, which are SQL, write none."""

from typing import Any, Final

from django.db import models
from simple_history.models import HistoricalRecords

ACTOR_MAX_LENGTH: Final = 200


class Actor(models.Model):
    """Who made a change, in words that outlive the user and the key: `ops`, or `ax_Xb6QmT2v (dashboard)`."""

    actor = models.CharField("by", max_length=ACTOR_MAX_LENGTH, blank=True, editable=False)

    class Meta:
        abstract = True


def history(*left_out: str) -> Any:
    """Return the history of a model, without the fields that nobody edits."""
    return HistoricalRecords(bases=[Actor], excluded_fields=list(left_out))
