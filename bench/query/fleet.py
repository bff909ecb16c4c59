"""The fleet whose month is stored: three tenants, 64 cards cut into some 200 resources, and the pods on them."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import md5
from itertools import accumulate, cycle

TENANTS = {"default": 0.6, "vision-lab": 0.3, "research": 0.1}
"""Each tenant's share of the spans."""
ENVIRONMENTS = {"production": 0.85, "staging": 0.15}
NODES_OF_TENANT = {"default": 9, "vision-lab": 5, "research": 2}
CARDS_A_NODE = 4
VERSIONS = ("1.4.0", "1.5.0", "1.5.1")
"""Of every service in the month: each time all pods are replaced by ones of other names and processes."""
GENERATIONS = len(VERSIONS)


@dataclass(frozen=True)
class CardModel:
    """A model of card, e.g. the NVIDIA H100: 79.6 GiB, 700 W at most, 2.85 USD an hour."""

    name: str
    memory_gib: float
    max_watts: int
    usd_per_hour: float


H100 = CardModel("NVIDIA H100 80GB HBM3", 79.6, 700, 2.85)
A100 = CardModel("NVIDIA A100-SXM4-80GB", 80.0, 400, 1.79)
L40S = CardModel("NVIDIA L40S", 44.5, 350, 0.99)

WHOLE: tuple[str, ...] = ()
CUTS = (WHOLE, ("3g.40gb", "3g.40gb"), ("2g.20gb", "2g.20gb", "2g.20gb", "1g.10gb"), ("1g.10gb",) * 7,
        ("3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"), ("3g.40gb", "3g.40gb"))  # fmt: skip
"""How cards are cut, one after the other: whole, or into these MIG slices."""
MEMORY_OF_SLICE = {"1g.10gb": 9.5, "2g.20gb": 19.5, "3g.40gb": 39.5}


@dataclass(frozen=True)
class Device:
    """What a pod computes on: a whole card, or a MIG slice of one."""

    resource_uuid: str
    physical_uuid: str
    card: CardModel
    node: str
    resource_type: str
    memory_gib: float


@dataclass(frozen=True)
class Pod:
    """A process for a third of the month. `model` is empty where none is served, `devices` where none is used."""

    number: int
    tenant: str
    environment: str
    service: str
    version: str
    name: str
    node: str
    process_id: int
    model: str
    devices: tuple[Device, ...]

    @property
    def resource_id(self) -> bytes:
        """The id of its resource attributes: any 16 bytes that no other pod has."""
        return md5(f"{self.tenant}/{self.environment}/{self.name}".encode(), usedforsecurity=False).digest()


# What each GPU service serves, and how many of the tenant's devices it gets in proportion
SERVED: dict[str, tuple[tuple[str, int], ...]] = {
    "llama-serving": (("llama-3.1-70b-instruct", 4), ("llama-3.1-8b-instruct", 4), ("gemma-2-9b-it", 2)),
    "qwen-serving": (("qwen2.5-32b-instruct", 3), ("qwen2.5-coder-7b", 2), ("phi-4", 1)),
    "deepseek-serving": (("deepseek-v3", 2), ("gpt-oss-120b", 2), ("mistral-small-24b", 2)),
    "embedder": (("bge-m3", 3), ("e5-mistral-7b", 1)),
    "reranker": (("bge-reranker-v2-m3", 2),),
    "image-gen": (("sdxl-1.0", 2), ("flux.1-dev", 2)),
    "asr-serving": (("whisper-large-v3", 2),),
}
ON_TWO_CARDS = frozenset({"llama-3.1-70b-instruct", "deepseek-v3"})
"""Models whose pods span two devices of a node, where two are left."""
APPLICATIONS = ("api-gateway", "chat-api", "support-bot", "code-assist", "rag-api", "agent-runner", "batch-scorer",
                "image-api", "transcription-api", "auth", "vector-search", "tool-runner", "guardrails")  # fmt: skip
REPLICAS = {"production": 3, "staging": 1}
STAGING_EVERY, STAGING_EVERY_OF_FEW = 5, 3
"""One device of so many is for staging; FEW is below 30."""
NAMESPACE = uuid.UUID("7f1a3c52-5a5e-4c1e-9d50-0f3a6f0f7a11")


def devices(tenant: str) -> Iterator[Device]:
    """Yield a tenant's devices, node by node."""
    first = sum(list(NODES_OF_TENANT.values())[: list(NODES_OF_TENANT).index(tenant)])
    for node_number in range(first, first + NODES_OF_TENANT[tenant]):
        node = f"gpu-node-{node_number + 1:02}"
        for slot in range(CARDS_A_NODE):
            place = node_number * CARDS_A_NODE + slot
            card = L40S if node_number % 8 == 7 else (H100, A100)[node_number % 2]
            physical = f"GPU-{uuid.uuid5(NAMESPACE, f'{node}/{slot}')}"
            cut = WHOLE if card is L40S else CUTS[place % len(CUTS)]  # an L40S has no MIG
            if not cut:
                yield Device(physical, physical, card, node, "full_gpu", card.memory_gib)
            for number, profile in enumerate(cut):
                resource = f"MIG-{uuid.uuid5(NAMESPACE, f'{node}/{slot}/{number}')}"
                yield Device(resource, physical, card, node, f"mig_{profile}", MEMORY_OF_SLICE[profile])


def pods() -> list[Pod]:
    """Return every pod of the month. Those of one tenant, environment, service and generation stand together."""
    made: list[Pod] = []
    for generation in range(GENERATIONS):
        for tenant in TENANTS:
            for environment, replicas in REPLICAS.items():
                for service in APPLICATIONS:
                    for _ in range(replicas):
                        made.append(_pod(made, generation, tenant, environment, service, "", ()))
                for service, model, used in _deployed(tenant, environment):
                    made.append(_pod(made, generation, tenant, environment, service, model, used))
    return made


def _deployed(tenant: str, environment: str) -> list[tuple[str, str, tuple[Device, ...]]]:
    """Deal a tenant's devices of an environment out to the models; return service, model and devices of each pod."""
    held = list(devices(tenant))
    every = STAGING_EVERY_OF_FEW if len(held) < 30 else STAGING_EVERY
    own = [each for number, each in enumerate(held) if (number % every == 0) == (environment == "staging")]
    most = max(share for served in SERVED.values() for _, share in served)
    order = cycle(
        (service, model)
        for turn in range(most)
        for service, served in SERVED.items()
        for model, share in served
        if turn < share
    )
    # every service has a pod, whatever is left over
    first = [(service, served[0][0]) for service, served in SERVED.items()]
    found = []
    while own:
        service, model = first.pop(0) if first else next(order)
        paired = model in ON_TWO_CARDS and len(own) > len(first) + 1 and own[0].node == own[1].node
        count = 2 if paired else 1
        found.append((service, model, tuple(own[:count])))
        del own[:count]
    return sorted(found, key=lambda each: each[0])


def _pod(
    made: Sequence[Pod],
    generation: int,
    tenant: str,
    environment: str,
    service: str,
    model: str,
    used: tuple[Device, ...],
) -> Pod:
    number = len(made)
    suffix = md5(f"{number}/{generation}".encode(), usedforsecurity=False).hexdigest()
    node = used[0].node if used else f"app-node-{number % 6 + 1:02}"
    name = f"{service}-{suffix[:9]}-{suffix[9:14]}"
    process_id = int(suffix[14:18], 16) % 4000 + 1
    return Pod(number, tenant, environment, service, VERSIONS[generation], name, node, process_id, model, used)


def shares(weights: Sequence[float]) -> list[float]:
    """Return where each weight's share of 0 to 1 ends."""
    total = sum(weights)
    return [part / total for part in accumulate(weights)]
