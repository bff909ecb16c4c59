"""Sends a data set the whole way: operations' entries first, then its batches, then the registry's synchronisation."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from ingest.gpu_time import share_out_changes
from ingest.intake import examine
from ingest.summaries import summarize_changes
from ingest.tasks import new_batch_id
from ingest.upkeep import MARGIN_MS
from registry.mirror import mirror_registry
from registry.models import ComputeResource, Node, PhysicalGPU, Tenant
from registry.sync import sync_registry
from tests import otlp
from tests.conftest import Drain, offer_and_seal
from tests.oracle.records import TEXTS, Dataset, Gpu, Span

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")


class Sender:
    """Sends a data set once, perhaps part by part; tenant 0 as `tenants[0]` and 1 as `tenants[1]`."""

    def __init__(self, drain: Drain, tenants: Sequence[str]) -> None:
        self.drain = drain
        self.tenants = tenants
        self.sent = 0
        self.entered = False

    def send(self, dataset: Dataset) -> None:
        """Send the batches that were not sent yet, each with the spans of both tenants."""
        began = time.monotonic()
        if not self.entered:
            _enter(dataset, self.tenants)
            self.entered = True
        batches = dataset.batches[self.sent :]
        for number, batch in enumerate(batches, self.sent):
            verdicts = [
                examine(
                    _request(spans, number).SerializeToString(),
                    tenant=name,
                    now_ns=time.time_ns(),
                    retention_days=settings.RETENTION_DAYS,
                )
                for tenant, name in enumerate(self.tenants)
                if (spans := [span for span in batch if span.tenant == tenant])
            ]
            assert sum(verdict.accepted_spans for verdict in verdicts) == len(batch)
            assert asyncio.run(offer_and_seal(verdicts, new_batch_id()))
        self.sent = len(dataset.batches)
        assert self.drain() == len(batches)
        assert sync_registry()
        mirror_registry()
        share_out(since=began)


def share_out(*, since: float) -> None:
    """Share the time of GPUs out among what came since then, by the monotonic clock, as workers do after a while."""
    began = time.monotonic()
    share_out_changes(of_last_ms=int((began - since) * 1000) + MARGIN_MS)
    summarize_changes(of_last_ms=int((time.monotonic() - began) * 1000) + MARGIN_MS)


def _enter(dataset: Dataset, tenants: Sequence[str]) -> None:
    """Put cards and resources into the registry."""
    owners = [Tenant.objects.get_or_create(slug=name, defaults={"name": name})[0] for name in tenants]
    cards = {
        (each.tenant, each.uuid): PhysicalGPU.objects.create(
            tenant=owners[each.tenant],
            uuid=each.uuid,
            set_model=each.model,
            set_vendor=each.vendor,
            set_node=_node(owners[each.tenant], each.node_id),
            set_memory_total_gb=each.memory_total_gb,
            cost_per_hour_usd=each.cost_per_hour_usd,
        )
        for each in dataset.cards
    }
    for each in dataset.resources:
        ComputeResource.objects.create(
            tenant=owners[each.tenant],
            uuid=each.uuid,
            set_physical=cards.get((each.tenant, each.card)),
            set_resource_type=each.resource_type,
            set_memory_total_gb=each.memory_total_gb,
        )


def _node(tenant: Tenant, name: str) -> Node | None:
    return Node.objects.get_or_create(tenant=tenant, name=name)[0] if name else None


def _request(spans: Sequence[Span], number: int) -> ExportTraceServiceRequest:
    """Return the request; its schema URL keeps it from being the same bytes as another, which would be a retry."""
    request = ExportTraceServiceRequest()
    while spans:
        resource = spans[0].resource
        alike = [span for span in spans if span.resource is resource]
        spans = [span for span in spans if span.resource is not resource]
        request.MergeFrom(otlp.request(*map(_span, alike), resource=resource, scope=("oracle", "1")))
    for resource_spans in request.resource_spans:
        resource_spans.schema_url = f"batch {number}"
    return request


def _span(span: Span) -> trace_pb2.Span:
    return otlp.span(
        span.name,
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_span_id),
        start_ns=span.start_ns,
        duration_ns=span.duration_ns,
        attributes={**span.attributes, **{key: value for gpu in span.gpus for key, value in _gpu(gpu).items()}},
        status=STATUSES.index(span.status),
        message=span.message,
        kind=KINDS.index(span.kind),
    )


def _gpu(gpu: Gpu) -> Mapping[str, Any]:
    texts = {name: text for name in TEXTS if (text := getattr(gpu, name))}
    return otlp.gpu(gpu.number, **texts, **gpu.readings)
