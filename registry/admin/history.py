"""The history of an object in the admin: who changed which field when, from what to what."""

from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from simple_history.admin import SimpleHistoryAdmin

from registry.admin.links import labels_text


class HistoryMixin(SimpleHistoryAdmin):
    """A page of history whose every line says what it changed, the first one too."""

    object_history_list_template = "registry/admin/history.html"
    history_list_per_page = 50
    key_fields: Collection[str] = ()

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: an old version would overwrite all later corrections; each field is corrected by itself."""
        return True

    def set_history_delta_changes(self, request: HttpRequest, historical_records: Any, **kwargs: Any) -> None:
        records = list(historical_records)
        oldest = records[-1].prev_record if records else None
        for record, earlier in zip(records, [*records[1:], oldest], strict=True):
            record.changes = [] if record.history_type == "-" else list(_changes(record, earlier, self.key_fields))
        historical_records.object_list = records


def _changes(record: Any, earlier: Any, key: Collection[str]) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, old, new). Before its first version an object had what sightings give it: nothing that is set."""
    for field in record.tracked_fields:
        if field.primary_key or field.name in key:
            continue
        new = getattr(record, field.attname)
        old = field.get_default() if earlier is None else getattr(earlier, field.attname)
        if new != old and not (new in field.empty_values and old in field.empty_values):
            yield field.verbose_name, _shown(field, earlier, old), _shown(field, record, new)


def _shown(field: Any, record: Any, value: Any) -> Any:
    if value in field.empty_values:
        return None
    if isinstance(value, dict):
        return labels_text(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if field.is_relation and record is not None:
        return getattr(record, field.name) or f"{field.verbose_name} {value}, deleted since"
    return value
