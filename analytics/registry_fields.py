"""Fields of the registry's objects: written as set and read as what counts; other objects by name."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics import body_fields
from analytics.tenancy import tenant_of


class Effective:
    """Of a field: it is written as what an operator sets, and read as what counts of that and of what was seen."""

    def get_attribute(self, instance: Any) -> Any:
        return getattr(instance, self.field_name)  # type: ignore[attr-defined]  # a field's


class NamedByUuidField(serializers.SlugRelatedField[Any]):
    """Another object of the same tenant, named by its UUID. One of another tenant is none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="uuid", **kwargs)

    def get_queryset(self) -> QuerySet[Any]:
        everybodys: QuerySet[Any] = super().get_queryset()  # type: ignore[assignment]  # each has one, see below
        return everybodys.filter(tenant__slug=tenant_of(self.context["request"]))

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # Not the library's, which takes an empty text for null.
        return serializers.Field.run_validation(self, data)

    def to_internal_value(self, data: Any) -> Any:
        uuid = body_fields.TextField(trim_whitespace=False).run_validation(data)
        looked_up = self.context.get("references")  # of a bulk, all at once
        found = self.get_queryset().filter(uuid=uuid).first() if looked_up is None else looked_up.get(uuid)
        if found is None:
            self.fail("does_not_exist")
        return found


class EffectiveCardField(NamedByUuidField):
    """The card of a resource, by its UUID."""

    def get_attribute(self, instance: Any) -> Any:
        return instance.physical


class NodeField(body_fields.TextField):
    """The node of a card, by its name; one that is not there yet is registered with the card."""

    def get_attribute(self, instance: Any) -> str:
        return name_of(instance.node)


class ForeignTextField(serializers.CharField):
    """A text of another object, which can only be read; `absent` where there is none."""

    def __init__(self, *, relation: str, text: str, **kwargs: Any) -> None:
        self.relation, self.text = relation, text
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> str:
        other = getattr(instance, self.relation)
        return "" if other is None else getattr(other, self.text)


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "number"}]})
class FactField(serializers.JSONField):
    """A text or a number."""


class ConflictSerializer(serializers.Serializer[Any]):
    """A fact of which something else was seen than an operator set. What is set counts."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {  # a class with these as its names would hide Python's own `set`
            "field": serializers.CharField(help_text="The fact, by the name of its field."),
            "set": FactField(help_text="What an operator set."),
            "seen": FactField(help_text="What was seen last."),
        }


@extend_schema_field(ConflictSerializer(many=True))
class ConflictsField(serializers.Field[Any, Any, Any, Any]):
    """The facts in conflict, each with both its values."""

    def get_attribute(self, instance: Any) -> Any:
        return instance

    def to_representation(self, value: Any) -> list[dict[str, Any]]:
        return [
            {"field": name, "set": told(value, "set", name), "seen": told(value, "seen", name)}
            for name in value.conflicts
        ]


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class SetNamesField(serializers.Field[Any, Any, Any, Any]):
    """The names of the fields that an operator set."""

    def __init__(self, names: Sequence[str], **kwargs: Any) -> None:
        self.names = names
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> Any:
        return instance

    def to_representation(self, value: Any) -> list[str]:
        return [name for name in self.names if told(value, "set", name) not in {None, ""}]


def told(instance: Any, who: str, name: str) -> Any:
    """Return what `who`, `set` or `seen`, says of a field, as JSON has it."""
    match name:
        case "node_id":
            return name_of(getattr(instance, f"{who}_node")) or None
        case "physical_uuid":
            card = getattr(instance, f"{who}_physical")
            return None if card is None else card.uuid
    value = getattr(instance, f"{who}_{name}")
    return float(value) if isinstance(value, Decimal) else value


def name_of(node: Any) -> str:
    return "" if node is None else node.name
