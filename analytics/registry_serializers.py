"""The registry's nodes, cards, resources and contexts as JSON, in both directions, field by field."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from analytics import body_fields
from analytics.registry_base import RegistrySerializer
from analytics.registry_fields import (
    ConflictsField,
    EffectiveCardField,
    ForeignTextField,
    NamedByUuidField,
    NodeField,
    SetNamesField,
)
from analytics.serializers import PageSerializer
from registry.models import ComputeResource, Node, PhysicalGPU, ResourceContext

# Of a bulk.
MAX_OBJECTS: Final = 1000
_CONFLICTS: Final = "Where something else was seen than an operator set; what is set counts."
_SET: Final = "Which fields an operator set; the others are as they were seen."


class NodeSerializer(RegistrySerializer):
    """A machine that cards sit in. Spans register it by its name; all else operators say."""

    key = "node_id"

    node_id = body_fields.TextField(source="name", max_length=255, help_text="As spans call it.")

    class Meta:
        model = Node
        fields = (
            "node_id",
            *("cloud_provider", "region", "zone", "machine_type", "driver_version", "cuda_version", "labels"),
            *("first_seen", "last_seen"),
        )
        validators = ()


class PhysicalGpuSerializer(RegistrySerializer):
    """A card. What is blank or null is as it was seen last; what is set no span changes."""

    effective = ("model", "vendor", "node_id", "memory_total_gb")

    node_id = NodeField(
        source="set_node",
        max_length=255,
        allow_blank=True,
        default="",
        help_text="The node that it sits in, by its name; one that is not there yet is registered.",
    )
    set = SetNamesField(effective, help_text=_SET)
    conflicts = ConflictsField(read_only=True, help_text=_CONFLICTS)
    seen_node_id = ForeignTextField(relation="seen_node", text="name")

    class Meta:
        model = PhysicalGPU
        fields = (
            *("uuid", "model", "vendor", "node_id", "memory_total_gb", "set", "conflicts"),
            *("seen_model", "seen_vendor", "seen_node_id", "seen_memory_total_gb"),
            *("cost_per_hour_usd", "labels"),
            *("architecture", "compute_capability", "sm_count", "tflops", "tdp_watts", "numa_node", "pcie_bus_id"),
            *("first_seen", "last_seen"),
        )
        validators = ()

    def create(self, validated_data: dict[str, Any]) -> Any:
        return super().create(_with_node(validated_data, validated_data["tenant"].pk))

    def update(self, instance: Any, validated_data: dict[str, Any]) -> Any:
        return super().update(instance, _with_node(validated_data, instance.tenant_id))


def _with_node(values: dict[str, Any], tenant_id: int) -> dict[str, Any]:
    """Return the values with the node itself, where they name one; "" is none."""
    if "set_node" not in values:
        return values
    name = values["set_node"]
    return {
        **values,
        "set_node": Node.objects.get_or_create(tenant_id=tenant_id, name=name)[0] if name else None,
    }


class ComputeResourceSerializer(RegistrySerializer):
    """What a process can run on: a full card, or a MIG slice of one. What is blank or null is as it was seen last."""

    effective = ("physical_uuid", "resource_type", "memory_total_gb", "mig_profile", "sm_share", "cost_per_hour_usd")

    physical_uuid = EffectiveCardField(
        source="set_physical",
        queryset=PhysicalGPU.objects.all(),
        allow_null=True,
        default=None,
        error_messages={"does_not_exist": "There is no physical GPU with this UUID. Create it first."},
        help_text="The card; null while nobody knows it.",
    )
    set = SetNamesField(effective, help_text=_SET)
    conflicts = ConflictsField(read_only=True, help_text=_CONFLICTS)
    seen_physical_uuid = ForeignTextField(relation="seen_physical", text="uuid")
    seen_node_id = ForeignTextField(relation="seen_node", text="name")
    retired_by = serializers.CharField(
        read_only=True,
        help_text="`operator`; `layout`, for its card is partitioned anew, until it is seen again; empty while it is "
        "there.",
    )
    share = serializers.FloatField(
        read_only=True, allow_null=True, help_text="Of its card's price; null where it can't be known."
    )

    class Meta:
        model = ComputeResource
        fields = (
            *("uuid", "physical_uuid", "resource_type", "memory_total_gb", "set", "conflicts"),
            *("seen_physical_uuid", "seen_resource_type", "seen_memory_total_gb"),
            *("seen_model", "seen_vendor", "seen_node_id"),
            *("mig_profile", "gi_id", "ci_id", "sm_share", "share", "cost_per_hour_usd", "labels"),
            *("retired_at", "retired_by", "first_seen", "last_seen"),
        )
        validators = ()


class ResourceContextSerializer(RegistrySerializer):
    """Who held a resource, under what label, from when to when."""

    key = "id"

    resource_uuid = NamedByUuidField(
        source="resource",
        queryset=ComputeResource.objects.all(),
        error_messages={"does_not_exist": "There is no compute resource with this UUID. Create it first."},
    )
    labels = body_fields.LabelsField(default=dict)
    ended_by = serializers.CharField(
        read_only=True,
        help_text="`operator`; `successor` or `silence`, until a sighting says otherwise; empty while it is open.",
    )

    class Meta:
        model = ResourceContext
        fields = (
            *("id", "resource_uuid", "user_label", "hostname", "pod", "process_id", "labels"),
            *("attached_at", "detached_at", "ended_by", "last_seen"),
        )
        validators = ()


class BulkSerializer(serializers.Serializer[Any]):
    """What became of the objects of a bulk."""

    created = serializers.IntegerField(help_text="How many are new.")
    updated = serializers.IntegerField(help_text="How many were there, and are changed.")
    unchanged = serializers.IntegerField(help_text="How many were there, just so.")


# Of an action called `list` the OpenAPI document would have a list of pages, if it were not for many=False.
@extend_schema_serializer(many=False)
class NodePageSerializer(PageSerializer):
    nodes = NodeSerializer(many=True)


@extend_schema_serializer(many=False)
class PhysicalGpuPageSerializer(PageSerializer):
    physical_gpus = PhysicalGpuSerializer(many=True)


@extend_schema_serializer(many=False)
class ComputeResourcePageSerializer(PageSerializer):
    compute_resources = ComputeResourceSerializer(many=True)


@extend_schema_serializer(many=False)
class ResourceContextPageSerializer(PageSerializer):
    resource_contexts = ResourceContextSerializer(many=True)
