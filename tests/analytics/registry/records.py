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
_OF_CARD: dict[str, Any] = {"seen_model": "", "seen_vendor": "", "seen_node_id": "", "seen_memory_total_gb": None}
UNSEEN_CARD = NEVER_SEEN | _OF_CARD | {"conflicts": []}
UNSEEN = UNSEEN_CARD | {"seen_physical_uuid": "", "seen_resource_type": "", "retired_by": ""}
# What bodies leave blank that say nothing of it.
BLANK_CARD: dict[str, Any] = {
    **dict.fromkeys(("model", "vendor", "node_id", "architecture", "compute_capability", "pcie_bus_id"), ""),
    **dict.fromkeys(("memory_total_gb", "cost_per_hour_usd", "sm_count", "tflops", "tdp_watts", "numa_node")),
    "labels": {},
    "set": [],
}
BLANK_RESOURCE: dict[str, Any] = {
    **dict.fromkeys(("physical_uuid", "memory_total_gb", "gi_id", "ci_id", "sm_share", "share", "cost_per_hour_usd")),
    **dict.fromkeys(("resource_type", "mig_profile"), ""),
    "labels": {},
    "set": [],
    "retired_at": None,
}
# What the server answers of CARD and SLICE, and of a context that somebody ended.
SHOWN_CARD = UNSEEN_CARD | BLANK_CARD | CARD | {"set": ["model", "vendor", "node_id", "memory_total_gb"]}
SHOWN_SLICE = (
    UNSEEN
    | BLANK_RESOURCE
    | SLICE
    | {
        "set": ["physical_uuid", "resource_type", "memory_total_gb"],
        "mig_profile": "1g.10gb",
        "sm_share": 1 / 7,
        "share": 9.75 / 80,
        "cost_per_hour_usd": 0.347344,  # 2.85 USD by its share of the memory, rounded half up to a millionth
    }
)


def body_of(kind: str) -> dict[str, Any]:
    """Return the body that makes the one of `card`, `resource` or `context`."""
    return {CARDS: CARD, RESOURCES: SLICE, CONTEXTS: CONTEXT}[kind]


def another(kind: str) -> dict[str, Any]:
    """Return a body that makes a second one."""
    return body_of(kind) | ({} if kind == CONTEXTS else {"uuid": "another"})


def address_of(kind: str, context: dict[str, Any]) -> str:
    """Return the address of what body_of() makes."""
    return f"{kind}/{ {CARDS: CARD['uuid'], RESOURCES: SLICE['uuid']}.get(kind, context['id']) }"
