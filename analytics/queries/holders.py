"""Which GPU did a span hold that names none? The one that the registry's contexts have its host, pod and process on."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from django.db import InterfaceError, OperationalError, connection

from analytics.body_fields import can_be_stored
from analytics.gpu_json import held_gpu
from axonize.clickhouse.json_rows import value_of
from axonize.error_text import told
from registry.times import to_datetime

logger = logging.getLogger(__name__)

MAX_CONTEXTS_OF_SENDER: Final = 1000

# A member of a span's JSON object that nobody who sends spans can write: in JSON a quote within a text is escaped,
# and what has keys of its own, the attributes, comes after.
_GPUS: Final = b',"gpus":['
_NONE: Final = b"]"
_HOST, _POD, _PID = (re.compile(rb',"%b":("(?:[^"\\]|\\.)*"|-?[0-9]+)' % name) for name in (b"host", b"pod", b"pid"))

_TEXTS: Final = ("resource_uuid", "physical_uuid", "model", "vendor", "node_id", "resource_type")
# Each sender's contexts while its spans ran, by whichever of host and pod it says; the rest may be anything.
_SQL: Final = """
SELECT
    asked.number, held.user_label, held.attached_at, held.detached_at, held.ended_by = 'silence' AS held_at_its_end,
    resource.uuid AS resource_uuid, coalesce(card.uuid, '') AS physical_uuid,
    coalesce(nullif(card.model, ''), resource.seen_model) AS model,
    coalesce(nullif(card.vendor, ''), resource.seen_vendor) AS vendor,
    coalesce(node.name, seen_node.name, '') AS node_id, resource.resource_type
FROM unnest(%(hosts)s::text[], %(pods)s::text[], %(pids)s::bigint[], %(first)s::timestamptz[], %(last)s::timestamptz[])
    WITH ORDINALITY AS asked (host, pod, pid, first, last, number)
JOIN registry_tenant AS tenant ON tenant.slug = %(tenant)s
CROSS JOIN LATERAL (
    (
        SELECT of_host.*
        FROM registry_resourcecontext AS of_host
        JOIN registry_computeresource AS own ON own.id = of_host.resource_id AND own.tenant_id = tenant.id
        WHERE asked.host <> ''
            AND of_host.hostname = asked.host
            AND (asked.pod = '' OR of_host.pod = asked.pod)
            AND (asked.pid IS NULL OR of_host.process_id = asked.pid)
            AND of_host.attached_at <= asked.last
            AND (of_host.detached_at IS NULL OR of_host.detached_at >= asked.first)
    )
    UNION ALL
    (
        SELECT of_pod.*
        FROM registry_resourcecontext AS of_pod
        JOIN registry_computeresource AS own ON own.id = of_pod.resource_id AND own.tenant_id = tenant.id
        WHERE asked.host = ''
            AND asked.pod <> ''
            AND of_pod.pod = asked.pod
            AND (asked.pid IS NULL OR of_pod.process_id = asked.pid)
            AND of_pod.attached_at <= asked.last
            AND (of_pod.detached_at IS NULL OR of_pod.detached_at >= asked.first)
    )
    LIMIT %(limit)s
) AS held
JOIN registry_computeresource AS resource ON resource.id = held.resource_id
LEFT JOIN registry_physicalgpu AS card ON card.id = resource.physical_id
LEFT JOIN registry_node AS node ON node.id = card.node_id
LEFT JOIN registry_node AS seen_node ON seen_node.id = resource.seen_node_id
"""


class Sender(NamedTuple):
    """What a span says of who sent it, "" and None where it says nothing."""

    host: str
    pod: str
    pid: int | None


@dataclass(frozen=True)
class _Held:
    """A context: its resource as the JSON of a GPU, without the label, and when it was held."""

    gpu: dict[str, str]
    user_label: str
    attached_at: datetime
    detached_at: datetime | None
    held_at_its_end: bool

    def at(self, moment: datetime) -> bool:
        if moment < self.attached_at:
            return False
        ended = self.detached_at
        return ended is None or moment < ended or (self.held_at_its_end and moment == ended)


def with_held_gpus(members: Sequence[bytes], start_ns: Sequence[int], *, tenant: str) -> list[bytes]:
    """Return the members of spans' JSON objects, with the GPU in `gpus` that the contexts tell where a span names none.

    It is told where of all contexts of the span's host, pod and process, as far as it says them, those at its start are
    of one resource; host or pod it has to say. One statement where any span names no GPU, none else.
    """
    shown = list(members)
    spans: dict[Sender, list[int]] = {}
    begins: dict[int, int] = {}
    for at, text in enumerate(shown):
        begin = text.find(_GPUS) + len(_GPUS)
        if text[begin : begin + 1] == _NONE:
            said = [pattern.search(text, 0, begin) for pattern in (_HOST, _POD, _PID)]
            sender = _sender(*(each and each[1] for each in said))
            if sender.host or sender.pod:
                spans.setdefault(sender, []).append(at)
                begins[at] = begin
    for sender, held in _contexts_if_there(tenant, spans, start_ns).items():
        # Of many spans the same contexts hold, so their GPU is made once.
        made: dict[tuple[int, ...], bytes | None] = {}
        for at in spans[sender]:
            moment = to_datetime(start_ns[at])
            then = tuple(number for number, each in enumerate(held) if each.at(moment))
            if then not in made:
                made[then] = _decided([held[number] for number in then])
            gpu = made[then]
            if gpu is not None:
                text, begin = shown[at], begins[at]
                shown[at] = text[:begin] + gpu + text[begin:]
    return shown


@lru_cache(maxsize=1024)
def _sender(host: bytes | None, pod: bytes | None, pid: bytes | None) -> Sender:
    """Return who these JSON texts name."""
    return Sender(
        host="" if host is None else str(value_of(host)),
        pod="" if pod is None else str(value_of(pod)),
        pid=None if pid is None else int(pid),
    )


def _contexts_if_there(
    tenant: str, spans: dict[Sender, list[int]], start_ns: Sequence[int]
) -> dict[Sender, list[_Held]]:
    """Return the contexts; none while PostgreSQL is away, for without it traces are read as well."""
    try:
        return _contexts(tenant, spans, start_ns)
    except (OperationalError, InterfaceError) as error:
        logger.warning("Spans are shown without the GPUs that the registry has their senders on: %s", told(error))
        return {}


def _contexts(tenant: str, spans: dict[Sender, list[int]], start_ns: Sequence[int]) -> dict[Sender, list[_Held]]:
    """Return each sender's contexts while its spans began; none of one that has too many to tell."""
    senders = [sender for sender in spans if can_be_stored(sender.host + sender.pod)]
    if not senders:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            _SQL,
            {
                "tenant": tenant,
                "hosts": [sender.host for sender in senders],
                "pods": [sender.pod for sender in senders],
                "pids": [sender.pid for sender in senders],
                "first": [to_datetime(min(start_ns[at] for at in spans[sender])) for sender in senders],
                "last": [to_datetime(max(start_ns[at] for at in spans[sender])) for sender in senders],
                "limit": MAX_CONTEXTS_OF_SENDER,
            },
        )
        found: dict[Sender, list[_Held]] = {}
        for number, label, attached_at, detached_at, held_at_its_end, *texts in cursor:
            gpu = dict(zip(_TEXTS, texts, strict=True))
            found.setdefault(senders[number - 1], []).append(
                _Held(gpu, label, attached_at, detached_at, held_at_its_end)
            )
    return {sender: held for sender, held in found.items() if len(held) < MAX_CONTEXTS_OF_SENDER}


def _decided(then: Sequence[_Held]) -> bytes | None:
    """Return the JSON of the one resource that all of these held; None where there is none, or more than one."""
    if len({each.gpu["resource_uuid"] for each in then}) != 1:
        return None
    labels = {each.user_label for each in then}
    return held_gpu({**then[0].gpu, "user_label": labels.pop() if len(labels) == 1 else ""})
