"""A card, a slice of it and who held that, as bodies of the API."""

from typing import Any

T0, T1, T2 = (f"2026-02-07T10:0{minute}:00.000000000Z" for minute in range(3))
CARD: dict[str, Any] = {
    "uuid": "GPU-5f2c1a9e",
    "model": "NVIDIA H100 80GB HBM3",
    "vendor": "NVIDIA",
    "node_id": "dgx-h100-02",
    "memory_total_gb": 80.0,
    "cost_per_hour_usd": 2.85,
}
SLICE: dict[str, Any] = {
    "uuid": "MIG-8b1f4c52",
    "physical_uuid": "GPU-5f2c1a9e",
    "resource_type": "mig_1g.10gb",
    "memory_total_gb": 9.75,
}
CONTEXT: dict[str, Any] = {
    "resource_uuid": "MIG-8b1f4c52",
    "user_label": "cuda:0",
    "hostname": "dgx-h100-02",
    "pod": "vllm-7d9f",
    "process_id": 42,
    "labels": {"team": "search", "shift": {"day": True, "hours": [8, 16.5], "note": None}},
    "attached_at": T0,
    "detached_at": T1,
}
CARDS, RESOURCES, CONTEXTS = "/physical-gpus", "/compute-resources", "/resource-contexts"
NEVER_SEEN = {"first_seen": None, "last_seen": None}
UNSEEN = NEVER_SEEN | {"seen_model": "", "seen_vendor": "", "seen_node_id": ""}


def body_of(kind: str) -> dict[str, Any]:
    """Return the body that makes the one of `card`, `resource` or `context`."""
    return {CARDS: CARD, RESOURCES: SLICE, CONTEXTS: CONTEXT}[kind]


def another(kind: str) -> dict[str, Any]:
    """Return a body that makes a second one."""
    return body_of(kind) | ({} if kind == CONTEXTS else {"uuid": "another"})


def address_of(kind: str, context: dict[str, Any]) -> str:
    """Return the address of what body_of() makes."""
    return f"{kind}/{ {CARDS: CARD['uuid'], RESOURCES: SLICE['uuid']}.get(kind, context['id']) }"
