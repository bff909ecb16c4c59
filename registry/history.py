"""Who makes a change, for the history of the registry; and many changes at once that have their history too."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Model
from django.dispatch import receiver
from simple_history.models import HistoricalRecords
from simple_history.signals import pre_create_historical_record
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from registry.identity import Identity
from registry.mirror import demand_mirror_on_commit
from registry.models.history import ACTOR_MAX_LENGTH

ON_THIS_MACHINE = "a program on this machine"
# Objects a statement: an update of many is a CASE of as many branches, which PostgreSQL walks through for each row.
_AT_ONCE = 200


def actor() -> str:
    """Return who makes the request that is being answered, "" where there is none: a command, a shell."""
    request = getattr(HistoricalRecords.context, "request", None)
    if request is None:
        return ""
    identity = getattr(request, "auth", None)  # what DRF's authentication leaves on Django's request
    if isinstance(identity, Identity) and identity.key_id:
        return f"{identity.key_id} ({identity.key_name})"[:ACTOR_MAX_LENGTH]
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return str(user.get_username())[:ACTOR_MAX_LENGTH]
    return ON_THIS_MACHINE


@receiver(pre_create_historical_record)
def name_actor(history_instance: Any, **_: Any) -> None:
    history_instance.actor = actor()


def create_many(model: type[Model], objects: Sequence[Model]) -> None:
    """Insert objects, each with its history. Run it inside a transaction."""
    if objects:
        bulk_create_with_history(
            list(objects),
            model,
            batch_size=_AT_ONCE,
            default_user=_user(),
            custom_historical_attrs={"actor": actor()},
        )
        demand_mirror_on_commit()


def update_many(model: type[Model], objects: Sequence[Model], fields: Sequence[str]) -> None:
    """Write these fields of objects, each with its history. Run it inside a transaction."""
    if objects:
        bulk_update_with_history(
            list(objects),
            model,
            list(fields),
            batch_size=_AT_ONCE,
            default_user=_user(),
            custom_historical_attrs={"actor": actor()},
        )
        demand_mirror_on_commit()


def _user() -> Any:
    request = getattr(HistoricalRecords.context, "request", None)
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None
