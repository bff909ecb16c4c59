"""The answers of the latency and throughput endpoints, field by field: they document what the views write by hand."""

from typing import Any

from rest_framework import serializers

from analytics.params import TimeField


class SeriesSerializer(serializers.Serializer[Any]):
    """What every answer with a series has."""

    start = TimeField()
    end = TimeField()
    bucket_seconds = serializers.IntegerField(help_text="The width of the series' buckets.")


class SeriesPointSerializer(serializers.Serializer[Any]):
    """A bucket of time, of one group where the series is grouped."""

    timestamp = TimeField(help_text="Where the bucket begins.")
    group = serializers.CharField(required=False, help_text="The value of what `group_by` names; only with it.")


class LatencySummarySerializer(serializers.Serializer[Any]):
    """Of all together; null but for the count where there is nothing."""

    count = serializers.IntegerField()
    avg_ms = serializers.FloatField(allow_null=True)
    min_ms = serializers.FloatField(allow_null=True)
    max_ms = serializers.FloatField(allow_null=True)
    p50_ms = serializers.FloatField(allow_null=True)
    p90_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)


class HistogramBucketSerializer(serializers.Serializer[Any]):
    """How many took `from_ms` or longer, and less than `to_ms`."""

    from_ms = serializers.FloatField()
    to_ms = serializers.FloatField()
    count = serializers.IntegerField()


class PercentilesPointSerializer(SeriesPointSerializer):
    count = serializers.IntegerField()
    p50_ms = serializers.FloatField(allow_null=True)
    p95_ms = serializers.FloatField(allow_null=True)
    p99_ms = serializers.FloatField(allow_null=True)


class LatencySerializer(SeriesSerializer):
    """Percentiles are exact, interpolated between the two values next to them."""

    summary = LatencySummarySerializer()
    histogram = HistogramBucketSerializer(
        many=True,
        help_text="From the first bucket that has anything in it to the last, without gaps. Ten buckets a decade: they "
        "begin at 1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3 and 8 times a power of ten, from a microsecond on.",
    )
    series = PercentilesPointSerializer(many=True)


class TrafficPointSerializer(SeriesPointSerializer):
    """What began in the bucket."""

    traces = serializers.IntegerField(help_text="With a span that satisfies the filters, in the bucket or later.")
    spans = serializers.IntegerField()
    errors = serializers.IntegerField(  # type: ignore[assignment]  # a field, which is no attribute of the class
        help_text="Spans that failed."
    )
    tokens_input = serializers.IntegerField(help_text="Of the spans.")
    tokens_output = serializers.IntegerField()
    tokens_per_second = serializers.FloatField(
        help_text="Output tokens over the seconds of the bucket that lie between `start` and `end`."
    )


class ThroughputSerializer(SeriesSerializer):
    series = TrafficPointSerializer(many=True)
