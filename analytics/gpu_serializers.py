"""The answers of the GPU endpoints, field by field: they make the answers and document them."""

from typing import Any, ClassVar

from rest_framework import serializers

from analytics.body_fields import MomentField
from analytics.params import TimeField
from analytics.queries.gpu_metrics import GpuPoint
from analytics.queries.gpus import MAX_CONTEXTS
from analytics.registry_serializers import PhysicalGpuSerializer, ResourceContextSerializer
from analytics.serializers import PageSerializer
from analytics.times import format_time


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
    cost_per_hour_usd = serializers.FloatField(
        allow_null=True, help_text="Of this resource: its share of its card's price, where it has none of its own."
    )
    share = serializers.FloatField(allow_null=True, help_text="Of its card's price; null where it can't be known.")
    mig_profile = serializers.CharField(help_text="`1g.10gb`, …; empty where it is no slice, or nobody knows.")
    sm_share = serializers.FloatField(allow_null=True, help_text="Of the card's SMs; null where nobody knows.")
    labels = serializers.DictField(child=serializers.CharField(), help_text="Given by operations.")
    retired_at = MomentField(allow_null=True, help_text="Since when it is not there any more; null while it is.")
    first_seen = MomentField(allow_null=True, help_text="Null where no span has named it yet.")
    last_seen = MomentField(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        return {
            name: 0.0 if value is None and name in self.zero_where_unknown else value for name, value in shown.items()
        }


class GpuPageSerializer(PageSerializer):
    gpus = GpuSerializer(many=True)


class HolderSerializer(serializers.Serializer[Any]):
    """Who held this resource, under what label, from when to when."""

    user_label = serializers.CharField()
    hostname = serializers.CharField()
    pod = serializers.CharField()
    process_id = serializers.IntegerField(allow_null=True)
    labels = serializers.DictField(child=serializers.JSONField(), help_text="Free labels, given by operations.")
    attached_at = MomentField()
    detached_at = MomentField(allow_null=True, help_text="Null while it may still hold the resource.")
    ended_by = serializers.CharField(
        help_text="`operator`; `successor`, for another holder came, or `silence`, until a sighting says otherwise; "
        "empty while it may still hold the resource."
    )
    last_seen = MomentField(allow_null=True)


class GpuContextsSerializer(PageSerializer):
    contexts = ResourceContextSerializer(many=True)


class GpuDetailSerializer(GpuSerializer):
    physical = PhysicalGpuSerializer(allow_null=True, help_text="Null while nobody knows the card.")
    contexts = HolderSerializer(many=True, help_text=f"The {MAX_CONTEXTS} that began last, the last first.")
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


class PhysicalGpuMetricsSerializer(serializers.Serializer[Any]):
    metrics = GpuPointSerializer(many=True, help_text="The buckets in which a slice has a reading or an active span.")
    physical_uuid = serializers.CharField(help_text="The card, which every point has as its `resource_uuid`.")
    start = TimeField()
    end = TimeField()
    step = serializers.IntegerField(help_text="The width of the buckets, in seconds.")


def gpu_point_json(point: GpuPoint) -> dict[str, Any]:
    """Return what GpuPointSerializer documents; by hand, for a chart has a thousand and a serializer is far slower."""
    return {
        "timestamp": format_time(point.timestamp_ns),
        "resource_uuid": point.resource_uuid,
        "utilization": point.utilization,
        "memory_used_gb": point.memory_used_gb,
        "memory_total_gb": point.memory_total_gb,
        "temperature_celsius": point.temperature_celsius,
        "power_watts": point.power_watts,
        "clock_mhz": point.clock_mhz,
        "active_spans": point.active_spans,
    }
