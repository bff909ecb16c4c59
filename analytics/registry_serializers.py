"""The registry's cards, resources and contexts as JSON, in both directions, field by field."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django.db import models
from django.db.models import QuerySet
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from analytics import body_fields
from analytics.serializers import PageSerializer
from analytics.tenancy import tenant_of
from registry.models import ComputeResource, PhysicalGPU, ResourceContext

MAX_UNKNOWN_NAMED: Final = 20
FIXED_UUID: Final = "A UUID stays what it is. Create another one with the other UUID, and delete this one."


class RegistrySerializer(serializers.ModelSerializer[Any]):
    """One of the registry's objects, as a body and as an answer.

    A body has only fields that this knows. Of those that can only be read it takes no notice, so that what was read can
    be sent back. What a whole object leaves out is blank; what a partial one leaves out stays.
    """

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        models.BigAutoField: serializers.IntegerField,
        models.CharField: body_fields.TextField,
        models.BigIntegerField: body_fields.IntegerField,
        models.FloatField: body_fields.MemoryField,
        models.DecimalField: body_fields.MoneyField,
        models.DateTimeField: body_fields.MomentField,
        models.JSONField: body_fields.LabelsField,
    }

    def build_standard_field(
        self, field_name: str, model_field: Any
    ) -> tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]]:
        field_class, options = super().build_standard_field(field_name, model_field)
        if options.get("required") is False:
            del options["required"]
            options["default"] = model_field.default if model_field.has_default() else model_field.get_default()
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

    def validate_uuid(self, uuid: str) -> str:
        if self.instance is not None and uuid != self.instance.uuid:
            raise ValidationError(FIXED_UUID, code="fixed")
        return uuid


class RegistrySchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # the library's metaclass
    """These objects in the OpenAPI document: bodies are closed, and answers have all fields."""

    target_class = "analytics.registry_serializers.RegistrySerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(  # noqa: SLF001  as the library's own extensions do
            self.target, direction, bypass_extensions=True
        )
        if direction == "response":
            return schema | {"required": list(schema["properties"])}
        return schema | {"additionalProperties": False}


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
        found = self.get_queryset().filter(uuid=uuid).first()
        if found is None:
            self.fail("does_not_exist")
        return found


class PhysicalGpuSerializer(RegistrySerializer):
    """A card. What is blank or null is filled in by the next span that says it; what is set no span changes."""

    class Meta:
        model = PhysicalGPU
        fields = (
            "uuid",
            "model",
            "vendor",
            "node_id",
            "memory_total_gb",
            "cost_per_hour_usd",
            "first_seen",
            "last_seen",
        )
        validators = ()


class ComputeResourceSerializer(RegistrySerializer):
    """What a process can run on: a full card, or a MIG slice of one. `seen_…` is what its own spans say."""

    physical_uuid = NamedByUuidField(
        source="physical",
        queryset=PhysicalGPU.objects.all(),
        allow_null=True,
        default=None,
        error_messages={"does_not_exist": "There is no physical GPU with this UUID. Create it first."},
        help_text="The card; null while nobody knows it.",
    )

    class Meta:
        model = ComputeResource
        fields = (
            "uuid",
            "physical_uuid",
            "resource_type",
            "memory_total_gb",
            "seen_model",
            "seen_vendor",
            "seen_node_id",
            "first_seen",
            "last_seen",
        )
        validators = ()


class ResourceContextSerializer(RegistrySerializer):
    """Who held a resource, under what label, from when to when."""

    resource_uuid = NamedByUuidField(
        source="resource",
        queryset=ComputeResource.objects.all(),
        error_messages={"does_not_exist": "There is no compute resource with this UUID. Create it first."},
    )

    class Meta:
        model = ResourceContext
        fields = (
            "id",
            "resource_uuid",
            "user_label",
            "hostname",
            "pod",
            "process_id",
            "labels",
            "attached_at",
            "detached_at",
            "last_seen",
        )
        validators = ()


# Of an action called `list` the OpenAPI document would have a list of pages, if it were not for many=False.
@extend_schema_serializer(many=False)
class PhysicalGpuPageSerializer(PageSerializer):
    physical_gpus = PhysicalGpuSerializer(many=True)


@extend_schema_serializer(many=False)
class ComputeResourcePageSerializer(PageSerializer):
    compute_resources = ComputeResourceSerializer(many=True)


@extend_schema_serializer(many=False)
class ResourceContextPageSerializer(PageSerializer):
    resource_contexts = ResourceContextSerializer(many=True)
