"""The GPUs of the demo's fleet: card models, cards, and what a process sees of them, whole or as MIG slices."""

import uuid
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CardModel:
    """A model of GPU with the range of what its sensors read, e.g. the NVIDIA L4: 22.5 GiB, 16 W idle, 72 W at most."""

    name: str
    memory_gib: float
    idle_watts: int
    max_watts: int
    idle_celsius: int
    max_celsius: int
    max_mhz: int


H100 = CardModel("NVIDIA H100 80GB HBM3", 79.6, 72, 700, 31, 74, 1980)
A100 = CardModel("NVIDIA A100-SXM4-80GB", 80.0, 58, 400, 30, 71, 1410)
L4 = CardModel("NVIDIA L4", 22.5, 16, 72, 37, 78, 2040)


@dataclass(frozen=True, slots=True)
class Card:
    """One physical GPU. Its UUID follows from its place, so that every run of the demo names the same hardware."""

    node: str
    slot: int
    model: CardModel

    @property
    def uuid(self) -> str:
        return f"GPU-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{self.node}/{self.slot}')}"


@dataclass(frozen=True, slots=True)
class MigProfile:
    """A way to cut a card, e.g. 3g.40gb: three of the H100's seven compute slices and half of its memory."""

    resource_type: str
    memory_gib: float
    compute_share: float


# The Axonize SDK names a slice by its memory alone, other emitters by NVIDIA's profile name.
MIG_40GB = MigProfile("mig_40gb", 39.5, 3 / 7)
MIG_3G_40GB = MigProfile("mig_3g.40gb", 39.5, 3 / 7)
MIG_2G_20GB = MigProfile("mig_2g.20gb", 19.5, 2 / 7)
MIG_1G_10GB = MigProfile("mig_1g.10gb", 9.5, 1 / 7)


@dataclass(frozen=True, slots=True)
class Device:
    """What a process computes on, a full card or a MIG slice, under the label by which the process knows it.

    `resident_gib` is what the loaded weights take. `readable` is False where NVML answers 0 for every sensor of the
    slice, as it does for MIG without DCGM.
    """

    card: Card
    label: str
    resident_gib: float
    profile: MigProfile | None = None
    slice_slot: int = 0
    readable: bool = True

    @property
    def uuid(self) -> str:
        if self.profile is None:
            return self.card.uuid
        return f"MIG-{uuid.uuid5(uuid.NAMESPACE_DNS, f'{self.card.uuid}/{self.slice_slot}')}"

    @property
    def resource_type(self) -> str:
        return self.profile.resource_type if self.profile else "full_gpu"

    @property
    def memory_gib(self) -> float:
        return self.profile.memory_gib if self.profile else self.card.model.memory_gib

    @property
    def compute_share(self) -> float:
        return self.profile.compute_share if self.profile else 1.0
