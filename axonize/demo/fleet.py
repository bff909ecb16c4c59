"""The pods of the demo's fleet: which service runs where, on which devices, and how it names itself."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.util.types import AttributeValue

from axonize.demo.hardware import (
    A100,
    H100,
    L4,
    MIG_1G_10GB,
    MIG_2G_20GB,
    MIG_3G_40GB,
    MIG_40GB,
    Card,
    Device,
    MigProfile,
)

PRODUCTION, STAGING = "production", "staging"


@dataclass(frozen=True, slots=True)
class Pod:
    """One running instance of a service: a process with a resource of its own, on a node, with its devices."""

    name: str
    node: str
    resource: Mapping[str, AttributeValue]
    devices: tuple[Device, ...] = ()
    trace_id_bits: int = 128

    @property
    def service(self) -> str:
        return str(self.resource["service.name"])

    @property
    def phase(self) -> float:
        """0 to 1: where in the fleet's waves of load this pod stands."""
        return phase_of(self.name)


def phase_of(name: str) -> float:
    """Return a number from 0 to 1 that stays the same for a name, in every process."""
    return zlib.crc32(name.encode()) % 1000 / 1000


def otel_pod(
    *,
    service: str,
    version: str,
    suffix: str,
    node: str,
    pid: int = 1,
    environment: str = PRODUCTION,
    environment_key: str = "deployment.environment.name",
    language: str = "python",
    devices: tuple[Device, ...] = (),
    trace_id_bits: int = 128,
) -> Pod:
    """Return a pod instrumented with an OpenTelemetry SDK, whose resource comes from Kubernetes' downward API."""
    name = f"{service}-{suffix}"
    resource: dict[str, AttributeValue] = {
        "service.name": service,
        "service.version": version,
        environment_key: environment,
        "host.name": node,
        "k8s.pod.name": name,
        "process.pid": pid,
        "telemetry.sdk.language": language,
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2" if language == "python" else "0.27.1",
    }
    return Pod(name, node, resource, devices, trace_id_bits)


def axonize_pod(*, service: str, suffix: str, node: str, devices: tuple[Device, ...], collector: bool = True) -> Pod:
    """Return a pod instrumented with the Axonize SDK.

    That SDK sends a service, an environment and its own name, no more. `collector` tells that the spans pass an
    OpenTelemetry Collector whose `resourcedetection` and `k8sattributes` processors add what the SDK leaves out.
    """
    name = f"{service}-{suffix}"
    resource: dict[str, AttributeValue] = {
        "service.name": service,
        "deployment.environment": PRODUCTION,
        "telemetry.sdk.name": "axonize",
        "telemetry.sdk.version": "0.1.0",
    }
    if collector:
        resource |= {"host.name": node, "k8s.pod.name": name, "process.pid": 1}
    return Pod(name, node, resource, devices)


_NODE_1, _NODE_2, _NODE_3, _NODE_4 = (f"gpu-node-0{number}" for number in range(1, 5))
_CHAT_CARD, _LLAMA_CARD = Card(_NODE_1, 0, H100), Card(_NODE_1, 1, H100)
_MIXED_CARD, _PAIR_CARD = Card(_NODE_2, 0, H100), Card(_NODE_2, 1, H100)


def _slice(card: Card, slot: int, profile: MigProfile, resident_gib: float, *, readable: bool = True) -> Device:
    # A container is given one slice only, so each pod's first and only device is cuda:0.
    return Device(card, "cuda:0", resident_gib, profile, slot, readable)


GATEWAYS = tuple(
    otel_pod(service="api-gateway", version="4.2.0", suffix=suffix, node=node)
    for suffix, node in (("7d9f6b5c44-2xk8p", "app-node-01"), ("7d9f6b5c44-m4qzt", "app-node-02"))
)
SUPPORT_BOT = otel_pod(
    service="support-bot",
    version="1.18.3",
    suffix="5f6c7d8b9-w7h2n",
    node="app-node-01",
    environment_key="deployment.environment",
)
CHAT_VLLM = tuple(
    otel_pod(
        service="chat-vllm",
        version="0.11.0",
        suffix=suffix,
        node=_NODE_1,
        pid=7,
        devices=(_slice(_CHAT_CARD, slot, MIG_3G_40GB, 15.6),),
    )
    for slot, suffix in enumerate(("6c9d7f5b8-x2kqp", "6c9d7f5b8-t9lvd"))
)
LLAMA = tuple(
    axonize_pod(
        service="llama-serving", suffix=suffix, node=_NODE_1, devices=(_slice(_LLAMA_CARD, slot, MIG_40GB, 36.2),)
    )
    for slot, suffix in enumerate(("84b5c6d7f-q8rjz", "84b5c6d7f-5hn4w"))
)
CODE = axonize_pod(
    service="code-assist",
    suffix="6f7b8c9d5-kk2vx",
    node=_NODE_2,
    devices=(_slice(_MIXED_CARD, 0, MIG_2G_20GB, 14.9, readable=False),),
)
RTP = otel_pod(
    service="qwen-rtp",
    version="0.2.0",
    suffix="58c9d6f7b-9d3sm",
    node=_NODE_2,
    pid=41,
    environment=STAGING,
    devices=(_slice(_MIXED_CARD, 1, MIG_1G_10GB, 3.4),),
)
TGI = otel_pod(service="mistral-tgi", version="3.3.4", suffix="7b8d9c6f5-jx6tl", node=_NODE_2, language="rust")
PAIR_ROUTER, PAIR_PREFILL, PAIR_DECODE = (
    otel_pod(
        service=f"deepseek-{role}",
        version="0.5.4",
        suffix="0",
        node=node,
        pid=pid,
        devices=devices,
        # SGLang's generator makes trace ids of 64 random bits.
        trace_id_bits=64,
    )
    for role, node, pid, devices in (
        ("router", "app-node-02", 1, ()),
        ("prefill", _NODE_2, 112, (_slice(_PAIR_CARD, 0, MIG_3G_40GB, 29.8),)),
        ("decode", _NODE_2, 118, (_slice(_PAIR_CARD, 1, MIG_3G_40GB, 29.8),)),
    )
)
IMAGE_GEN = axonize_pod(
    service="image-gen",
    suffix="0",
    node=_NODE_3,
    devices=tuple(Device(Card(_NODE_3, slot, A100), f"cuda:{slot}", 24.3) for slot in range(4)),
    collector=False,
)
RAG = otel_pod(service="rag-api", version="0.9.2", suffix="699c8d7b6-4zfpc", node="app-node-02")
EMBEDDER = otel_pod(
    service="embedder",
    version="1.4.0",
    suffix="5d4c6b7f8-vt5rb",
    node=_NODE_4,
    pid=9,
    devices=(Device(Card(_NODE_4, 0, L4), "cuda:0", 2.3),),
)

FLEET: tuple[Pod, ...] = (
    *GATEWAYS,
    SUPPORT_BOT,
    *CHAT_VLLM,
    *LLAMA,
    CODE,
    RTP,
    TGI,
    PAIR_ROUTER,
    PAIR_PREFILL,
    PAIR_DECODE,
    IMAGE_GEN,
    RAG,
    EMBEDDER,
)
