"""Fields of JSON bodies. They take JSON's own types, and nothing that only looks like them: "80" is no number."""

import json
import re
import sys
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics.times import format_time, parse_time
from registry.models.physical_gpu import MEMORY_BOUND_GB
from registry.times import to_datetime, to_nanoseconds

MAX_LABELS_LENGTH: Final = 4096
MAX_LABELS_DEPTH: Final = 8
# What PostgreSQL's jsonb has no text for: NUL, and half of a surrogate pair.
_NOT_STORABLE: Final = re.compile("[\0\ud800-\udfff]")
_MAX_DOUBLE: Final = sys.float_info.max


def can_be_stored(text: str) -> bool:
    """Tell whether PostgreSQL has this text."""
    return _NOT_STORABLE.search(text) is None


class TextField(serializers.CharField):
    """A text; blanks at its ends are cut off, as in the admin."""

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IntegerField(serializers.IntegerField):
    """A whole number."""

    def to_internal_value(self, data: object) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class NumberField(serializers.FloatField):
    """A number."""

    def to_internal_value(self, data: object) -> float:
        if not isinstance(data, int | float) or isinstance(data, bool) or not -_MAX_DOUBLE <= data <= _MAX_DOUBLE:
            self.fail("invalid")
        return super().to_internal_value(data)


_MEMORY_SCHEMA: Final = {"type": "number", "minimum": 0, "maximum": MEMORY_BOUND_GB}


@extend_schema_field(_MEMORY_SCHEMA | {"exclusiveMinimum": True, "exclusiveMaximum": True})
class MemoryField(serializers.FloatField):
    """A size of memory in GiB, above 0."""

    def to_internal_value(self, data: object) -> float:
        if not isinstance(data, int | float) or isinstance(data, bool) or not 0 < data < MEMORY_BOUND_GB:
            sentence = f"Give a number of GiB above 0 and below {MEMORY_BOUND_GB:,.0f}, or null where it is not known."
            raise serializers.ValidationError(sentence, code="invalid")
        return super().to_internal_value(data)


class MoneyField(serializers.DecimalField):
    """An amount: a number, or the same as a text, which no JSON library rounds. Answers have the number."""

    def to_internal_value(self, data: object) -> Decimal:
        if not isinstance(data, str | int | float) or isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)

    def validate_empty_values(self, data: object) -> tuple[bool, Any]:
        # Not the library's, which takes an empty text for null.
        return serializers.Field.validate_empty_values(self, data)

    def to_representation(self, value: Decimal) -> float:  # type: ignore[override]  # the library's text has no schema
        return float(value)


class MoneySchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # the library's metaclass
    """An amount in the OpenAPI document: two ways in, one way out."""

    target_class = "analytics.body_fields.MoneyField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:  # noqa: ARG002  the library's
        number: dict[str, Any] = {"type": "number", "minimum": 0}
        if direction == "response":
            return number
        return {"oneOf": [number, {"type": "string", "format": "decimal"}]}


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentField(serializers.Field[datetime, str, str, datetime]):
    """An aware datetime of the registry, written like every other time; what comes in is cut off below microseconds."""

    def to_internal_value(self, data: object) -> datetime:
        try:
            return to_datetime(parse_time(data if isinstance(data, str) else ""))
        except ValueError as error:
            raise serializers.ValidationError(str(error), code="invalid") from error

    def to_representation(self, value: datetime) -> str:
        return format_time(to_nanoseconds(value))


@extend_schema_field({"type": "object", "additionalProperties": {}})
class LabelsField(serializers.JSONField):
    """Free labels: an object of any JSON values, small enough for a list of them."""

    def to_internal_value(self, data: object) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError('Give an object, such as {"team": "search"}.', code="invalid")
        if not _is_storable(data, MAX_LABELS_DEPTH):
            sentence = (
                f"Labels nest at most {MAX_LABELS_DEPTH} deep, and hold no null character, no half of a surrogate pair "
                "and no number that a double can't hold."
            )
            raise serializers.ValidationError(sentence, code="invalid")
        if len(json.dumps(data)) > MAX_LABELS_LENGTH:
            sentence = f"Labels have at most {MAX_LABELS_LENGTH:,} characters as JSON."
            raise serializers.ValidationError(sentence, code="max_length")
        return data


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class TextLabelsField(LabelsField):
    """Labels of a node, a card or a resource: an object of texts."""

    def to_internal_value(self, data: object) -> dict[str, Any]:
        labels = super().to_internal_value(data)
        if not all(isinstance(value, str) for value in labels.values()):
            raise serializers.ValidationError('Labels are texts, as in {"team": "search"}.', code="invalid")
        return labels


def _is_storable(value: object, depth: int) -> bool:
    match value:
        case str():
            return _NOT_STORABLE.search(value) is None
        case float():
            return isfinite(value)
        case dict():
            return depth > 0 and all(_is_storable(k, 0) and _is_storable(v, depth - 1) for k, v in value.items())
        case list():
            return depth > 0 and all(_is_storable(item, depth - 1) for item in value)
    return True
