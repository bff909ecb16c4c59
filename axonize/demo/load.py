"""How busy the fleet is at a moment, and what the sensors of its GPUs read then."""

import math
from dataclasses import dataclass
from random import Random

from opentelemetry.util.types import AttributeValue

from axonize.demo.fleet import Pod, phase_of
from axonize.demo.hardware import Device

MEAN_LOAD = 0.55


def load_at(offset_s: float, phase: float) -> float:
    """Return the share of its capacity, 0.04 to 1, that is asked of something.

    `offset_s` counts from the demo's start in seconds, negative for the past; `phase` is 0 to 1. A long wave (25 min)
    carries a short one (50 s), so that an hour's chart and a minute's both move.
    """
    long_wave = math.sin(math.tau * (offset_s / 1500 + phase))
    short_wave = math.sin(math.tau * (offset_s / 50 + 7 * phase))
    return min(1.0, max(0.04, MEAN_LOAD + 0.3 * long_wave + 0.15 * short_wave))


@dataclass(frozen=True, slots=True)
class Moment:
    """The circumstances of one request: the dice, the seconds since the demo's start, its slowness (1: usual)."""

    rng: Random
    offset_s: float
    slowness: float = 1.0

    def load(self, pod: Pod) -> float:
        return load_at(self.offset_s, pod.phase)

    def noisy(self, value: float, spread: float = 0.15) -> float:
        """Return a positive value around `value`, log-normal, as durations are."""
        return value * self.rng.lognormvariate(0, spread)


def gpu_attributes(moment: Moment, pod: Pod) -> dict[str, AttributeValue]:
    """Return the `gpu.N.*` attributes of all devices of a pod: who they are and what they read at this moment."""
    attributes: dict[str, AttributeValue] = {}
    for index, device in enumerate(pod.devices):
        fields = _identity(device) | (_readings(moment, pod, device) if device.readable else _zeros(device))
        attributes |= {f"gpu.{index}.{name}": value for name, value in fields.items()}
    return attributes


def gpu_reference(pod: Pod) -> dict[str, AttributeValue]:
    """Return `gpu.N.*` attributes that name a pod's resources and nothing about them; the registry knows the rest."""
    return {
        f"gpu.{index}.{name}": value
        for index, device in enumerate(pod.devices)
        for name, value in (("resource_uuid", device.uuid), ("user_label", device.label))
    }


def energy_wh(moment: Moment, pod: Pod, duration_s: float) -> float:
    """Return the energy in watt-hours that a pod's devices take in `duration_s` seconds at this moment's load."""
    watts = sum(_watts(device, moment.load(pod)) for device in pod.devices)
    return round(watts * duration_s / 3600, 6)


def _identity(device: Device) -> dict[str, AttributeValue]:
    return {
        "resource_uuid": device.uuid,
        "physical_uuid": device.card.uuid,
        "model": device.card.model.name,
        "vendor": "NVIDIA",
        "node_id": device.card.node,
        "resource_type": device.resource_type,
        "user_label": device.label,
    }


def _zeros(device: Device) -> dict[str, AttributeValue]:
    return {
        "utilization": 0.0,
        "memory_used_gb": 0.0,
        "memory_total_gb": device.memory_gib,
        "temperature_celsius": 0,
        "power_watts": 0,
        "clock_mhz": 0,
    }


def _readings(moment: Moment, pod: Pod, device: Device) -> dict[str, AttributeValue]:
    rng, model = moment.rng, device.card.model
    load = moment.load(pod)
    # Temperature and clock are the whole card's, whatever one slice of it does.
    card_load = load_at(moment.offset_s, phase_of(device.card.uuid)) if device.profile else load
    utilization = min(100.0, max(1.0, 6 + 90 * load + rng.gauss(0, 4)))
    cache_gib = (device.memory_gib * 0.94 - device.resident_gib) * (0.25 + 0.7 * load)
    celsius = model.idle_celsius + (model.max_celsius - model.idle_celsius) * card_load + rng.gauss(0, 1)
    # Boost clocks fall by a few per cent as the card draws more power.
    mhz = model.max_mhz * (1 - 0.12 * card_load**2) + rng.gauss(0, model.max_mhz * 0.004)
    return {
        "utilization": round(utilization, 1),
        "memory_used_gb": round(device.resident_gib + cache_gib, 2),
        "memory_total_gb": device.memory_gib,
        "temperature_celsius": round(celsius),
        "power_watts": max(1, round(_watts(device, load) + rng.gauss(0, 4 * device.compute_share))),
        "clock_mhz": min(model.max_mhz, 15 * round(mhz / 15)),
    }


def _watts(device: Device, load: float) -> float:
    model = device.card.model
    return device.compute_share * (model.idle_watts + (model.max_watts - model.idle_watts) * (0.1 + 0.85 * load))
