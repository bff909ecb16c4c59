"""The answers about services, models and the use of GPUs, field by field: they make the answers and document them."""

from typing import Any

from rest_framework import serializers

from analytics.params import MillisecondsField, TimeField

COST_HELP = "What the spans say that they cost, and of those that do not, their parts of the GPUs' time at its price."


class UsageSerializer(serializers.Serializer[Any]):
    """What every such answer has."""

    total = serializers.IntegerField(help_text="How many there are, shown or not.")
    limit = serializers.IntegerField()
    start = TimeField()
    end = TimeField()


class SpansSerializer(serializers.Serializer[Any]):
    """Spans together; percentiles are exact, interpolated between the two durations next to them."""

    count = serializers.IntegerField(help_text="Spans.")
    error_rate = serializers.FloatField(help_text="The share of spans, 0 to 1, that failed.")
    avg_ms = MillisecondsField(source="avg_ns", help_text="Of the spans' durations, as the percentiles.")
    p50_ms = MillisecondsField(source="p50_ns")
    p95_ms = MillisecondsField(source="p95_ns")
    p99_ms = MillisecondsField(source="p99_ns")


class ServiceSerializer(SpansSerializer):
    service_name = serializers.CharField()
    models = serializers.ListField(child=serializers.CharField(), help_text="That its spans name, by name.")
    cost_usd = serializers.FloatField(allow_null=True, help_text=COST_HELP)


class ServicesSerializer(UsageSerializer):
    services = ServiceSerializer(many=True)


class ModelSerializer(SpansSerializer):
    """A model. Null is what none of its spans told."""

    model_name = serializers.CharField()
    tokens_input = serializers.IntegerField()
    tokens_output = serializers.IntegerField()
    avg_ttft_ms = serializers.FloatField(allow_null=True, help_text="Of the times to the first token.")
    p50_ttft_ms = serializers.FloatField(allow_null=True)
    p95_ttft_ms = serializers.FloatField(allow_null=True)
    p99_ttft_ms = serializers.FloatField(allow_null=True)
    tokens_per_second = serializers.FloatField(allow_null=True, help_text="The mean of the spans' own speeds.")
    cost_usd = serializers.FloatField(allow_null=True, help_text=COST_HELP)


class ModelsSerializer(UsageSerializer):
    models = ModelSerializer(many=True)


class GpuUsageSerializer(serializers.Serializer[Any]):
    """A compute resource. Texts, the card's price and sizes are the registry's; null is what nobody knows."""

    resource_uuid = serializers.CharField()
    physical_uuid = serializers.CharField(help_text="The card; empty while nobody knows it.")
    model = serializers.CharField(help_text="Of the card.")
    node_id = serializers.CharField()
    busy_share = serializers.FloatField(
        help_text="The share of the range, 0 to 1, in which one of the spans held it; overlapping spans count once."
    )
    spans = serializers.IntegerField()
    avg_utilization = serializers.FloatField(allow_null=True, help_text="Percent, over the spans' readings.")
    max_utilization = serializers.FloatField(allow_null=True)
    avg_memory_used_gb = serializers.FloatField(allow_null=True, help_text="GiB")
    max_memory_used_gb = serializers.FloatField(allow_null=True)
    memory_total_gb = serializers.FloatField(allow_null=True, help_text="GiB; where ops said nothing, what spans say.")
    avg_power_watts = serializers.FloatField(allow_null=True)
    max_power_watts = serializers.FloatField(allow_null=True)
    energy_wh = serializers.FloatField(allow_null=True, help_text="The average power over the time it was busy.")
    models = serializers.ListField(child=serializers.CharField(), help_text="That ran on it, by name.")
    cost_usd = serializers.FloatField(
        allow_null=True,
        help_text="Its price over the time it was busy; of a slice its share of the card's.",
    )
    idle_cost_usd = serializers.FloatField(allow_null=True, help_text="Its price over the rest of the range.")


class GpuUsagesSerializer(UsageSerializer):
    gpus = GpuUsageSerializer(many=True)
