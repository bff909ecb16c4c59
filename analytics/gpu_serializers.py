"""The answers of the GPU endpoints, field by field: they make the answers and document them."""

from datetime import datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics.params import TimeField
from analytics.queries.gpus import MAX_CONTEXTS
from analytics.serializers import PageSerializer
from analytics.times import format_time
from registry.times import to_nanoseconds


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentField(serializers.Field[Any, Any, str, datetime]):
    """An aware datetime of the registry, written like every other time."""

    def to_representation(self, value: datetime) -> str:
        return format_time(to_nanoseconds(value))


class GpuSerializer(serializers.Serializer[Any]):
    """A compute resource: a full card or a MIG slice of one. Texts are empty where nobody knows."""

    # An existing dashboard formats these without asking whether they are there; `reading_at` tells it.
    zero_where_unknown: ClassVar[frozenset[str]] = frozenset({"utilization", "memory_used_gb", "memory_total_gb"})

    resource_uuid = serializers.CharField()
    physical_uuid = serializers.CharField(help_text="The card; empty while nobody knows it.")
    model = serializers.CharField()
    vendor = serializers.CharField()
    resource_type = serializers.CharField(help_text="`full_gpu`, `mig_40gb`, `mig_1g.10gb`, …")
    node_id = serializers.CharField()
    user_labels = serializers.ListField(
        child=serializers.CharField(), help_text="What the processes that hold it now call it, such as `cuda:0`."
    )
    utilization = serializers.FloatField(
        source="readings.utilization", help_text="Percent, the latest known; 0 where none is known."
    )
    memory_used_gb = serializers.FloatField(
        source="readings.memory_used_gb", help_text="GiB, the latest known; 0 where none is known."
    )
    memory_total_gb = serializers.FloatField(source="readings.memory_total_gb", help_text="GiB; 0 where not known.")
    temperature_celsius = serializers.FloatField(source="readings.temperature_celsius", allow_null=True)
    power_watts = serializers.FloatField(source="readings.power_watts", allow_null=True)
    clock_mhz = serializers.FloatField(source="readings.clock_mhz", allow_null=True)
    reading_at = TimeField(
        source="readings.reading_at_ns",
        allow_null=True,
        help_text="When the latest known reading was taken; null where none is known, as of MIG slices whose NVML "
        "answers zero to everything.",
    )
    cost_per_hour_usd = serializers.FloatField(allow_null=True, help_text="Of the whole card, also for a slice.")
    first_seen = MomentField(allow_null=True, help_text="Null where no span has named it yet.")
    last_seen = MomentField(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        return {
            name: 0.0 if value is None and name in self.zero_where_unknown else value for name, value in shown.items()
        }


class GpuPageSerializer(PageSerializer):
    gpus = GpuSerializer(many=True)


class PhysicalGpuSerializer(serializers.Serializer[Any]):
    """The card that a resource is, or is a slice of."""

    uuid = serializers.CharField()
    model = serializers.CharField()
    vendor = serializers.CharField()
    node_id = serializers.CharField()
    memory_total_gb = serializers.FloatField(allow_null=True, help_text="GiB")
    cost_per_hour_usd = serializers.FloatField(allow_null=True)
    first_seen = MomentField(allow_null=True)
    last_seen = MomentField(allow_null=True)


class ResourceContextSerializer(serializers.Serializer[Any]):
    """Who held a resource, under what label, from when to when."""

    user_label = serializers.CharField()
    hostname = serializers.CharField()
    pod = serializers.CharField()
    process_id = serializers.IntegerField(allow_null=True)
    labels = serializers.DictField(child=serializers.JSONField(), help_text="Free labels, given by operations.")
    attached_at = MomentField()
    detached_at = MomentField(allow_null=True, help_text="Null while it may still hold the resource.")
    last_seen = MomentField(allow_null=True)


class GpuDetailSerializer(GpuSerializer):
    physical = PhysicalGpuSerializer(allow_null=True, help_text="Null while nobody knows the card.")
    contexts = ResourceContextSerializer(many=True, help_text=f"The {MAX_CONTEXTS} that began last, the last first.")
    siblings = GpuSerializer(many=True, help_text="The other slices of the same card.")


class GpuPointSerializer(serializers.Serializer[Any]):
    """A bucket of time. Null is what no reading in it told."""

    timestamp = TimeField(source="timestamp_ns", help_text="Where the bucket begins.")
    resource_uuid = serializers.CharField()
    utilization = serializers.FloatField(allow_null=True, help_text="Percent")
    memory_used_gb = serializers.FloatField(allow_null=True, help_text="GiB")
    memory_total_gb = serializers.FloatField(allow_null=True, help_text="GiB")
    temperature_celsius = serializers.FloatField(allow_null=True)
    power_watts = serializers.FloatField(allow_null=True)
    clock_mhz = serializers.FloatField(allow_null=True)
    active_spans = serializers.IntegerField(help_text="Spans that held the resource at some moment of the bucket.")


class GpuMetricsSerializer(serializers.Serializer[Any]):
    metrics = GpuPointSerializer(many=True, help_text="The buckets that have a reading or an active span.")
    resource_uuid = serializers.CharField()
    start = TimeField()
    end = TimeField()
    step = serializers.IntegerField(help_text="The width of the buckets, in seconds.")
