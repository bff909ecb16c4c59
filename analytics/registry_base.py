"""What the JSON of the registry's objects has in common: closed bodies, what is set and seen, and its schema."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.db import models
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from analytics import body_fields
from analytics.registry_fields import Effective

MAX_UNKNOWN_NAMED: Final = 20
FIXED_NAME: Final = "{} stays what it is. Create another one with the other one, and delete this one."


class RegistrySerializer(serializers.ModelSerializer[Any]):
    """One of the registry's objects, as a body and as an answer.

    A body has only fields that this knows. Of those that can only be read it takes no notice, so that what was read can
    be sent back. What a whole object leaves out is blank; what a partial one leaves out stays.

    `effective` names the fields that are written to a column `set_…`, and read as what counts. A whole object that is
    sent back as it was read sets nothing that was only seen; a partial one sets what it names.
    """

    effective: ClassVar[tuple[str, ...]] = ()
    # The field that names the object, for good.
    key: ClassVar[str] = "uuid"
    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        models.BigAutoField: serializers.IntegerField,
        models.CharField: body_fields.TextField,
        models.BigIntegerField: body_fields.IntegerField,
        models.PositiveIntegerField: body_fields.IntegerField,
        models.PositiveSmallIntegerField: body_fields.IntegerField,
        models.FloatField: body_fields.NumberField,
        models.DecimalField: body_fields.MoneyField,
        models.DateTimeField: body_fields.MomentField,
        models.JSONField: body_fields.TextLabelsField,
    }

    def build_field(self, field_name: str, info: Any, model_class: Any, nested_depth: int) -> Any:
        if field_name not in self.effective:
            return super().build_field(field_name, info, model_class, nested_depth)
        column = f"set_{field_name}"
        field_class, options = super().build_field(column, info, model_class, nested_depth)
        return type(field_class.__name__, (Effective, field_class), {}), {**options, "source": column}

    def build_standard_field(
        self, field_name: str, model_field: Any
    ) -> tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]:
        field_class, options = super().build_standard_field(field_name, model_field)
        if options.get("required") is False:
            del options["required"]
            options["default"] = model_field.default if model_field.has_default() else model_field.get_default()
        if field_name.endswith("memory_total_gb") and not options.get("read_only"):
            return body_fields.MemoryField, options
        return field_class, options

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            errors = {
                name: [ErrorDetail("There is no such field.", code="unknown")] for name in unknown[:MAX_UNKNOWN_NAMED]
            }
        try:
            values = super().to_internal_value(data)
        except ValidationError as error:
            errors.update(error.detail)  # type: ignore[arg-type]  # of a serializer it is by field
        if errors:
            raise ValidationError(errors)
        return values

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Leave of a whole object what counts already as it is: set, or only seen. Refuse another name."""
        if self.instance is None:
            return attrs
        name = str(self.fields[self.key].source)
        if attrs.get(name, getattr(self.instance, name)) != getattr(self.instance, name):
            word = "A UUID" if self.key == "uuid" else "A name"
            raise ValidationError({self.key: FIXED_NAME.format(word)}, code="fixed")
        return attrs if self.partial else self._without_what_counts(attrs)

    def _without_what_counts(self, attrs: dict[str, Any]) -> dict[str, Any]:
        shown = self.to_representation(self.instance)
        for name in self.effective:
            field = self.fields[name]
            value = attrs.get(str(field.source))
            if value is not None and field.to_representation(value) == shown[name]:
                del attrs[str(field.source)]
        return attrs


class RegistrySchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # the library's metaclass
    """These objects in the OpenAPI document: bodies are closed, and answers have all fields."""

    target_class = "analytics.registry_base.RegistrySerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(  # noqa: SLF001  as the library's own extensions do
            self.target, direction, bypass_extensions=True
        )
        if direction == "response":
            return schema | {"required": list(schema["properties"])}
        return schema | {"additionalProperties": False}
