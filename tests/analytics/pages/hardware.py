"""Spans that held GPUs at known times, for the tests of the GPUs' pages."""

from collections.abc import Callable

from registry.sync import sync_registry
from tests.conftest import Ingest
from tests.otlp import SECOND_NS, gpu, request, span

H100 = "NVIDIA H100 80GB HBM3"
CARD = "GPU-5f2c1a9e"
ONE, TWO = "MIG-8b1f4c52", "MIG-9c2e5d63"
WHOLE = "GPU-77e1c04b"
SLICE: dict[str, object] = {
    "physical_uuid": CARD,
    "model": H100,
    "vendor": "NVIDIA",
    "node_id": "dgx-1",
    "resource_type": "mig_3g.40gb",
    "user_label": "cuda:0",
    "memory_total_gb": 40.0,
}
FULL: dict[str, object] = {
    "resource_uuid": WHOLE,
    "physical_uuid": WHOLE,
    "model": "NVIDIA L4",
    "vendor": "NVIDIA",
    "node_id": "edge-1",
    "resource_type": "full_gpu",
    "user_label": "cuda:0",
    "memory_total_gb": 24.0,
}

Held = Callable[..., str]


def held(ingest: Ingest) -> Held:
    """Return what sends a span that held GPUs from `begin_ns` for some seconds; it returns the id of its trace."""

    def send(
        begin_ns: int,
        seconds: float,
        *gpus: dict[str, object],
        model: str = "",
        pod: str = "",
        tenant: str = "default",
        name: str = "chat",
        **sent: object,
    ) -> str:
        attributes: dict[str, object] = {"gen_ai.request.model": model} if model else {}
        attributes |= sent
        for number, fields in enumerate(gpus):
            attributes |= gpu(number, **fields)
        one = span(name, start_ns=begin_ns, duration_ns=round(seconds * SECOND_NS), attributes=attributes)
        sender: dict[str, object] = {"service.name": "vllm", "host.name": "host-1"}
        ingest(request(one, resource={**sender, **({"k8s.pod.name": pod} if pod else {})}), tenant=tenant)
        sync_registry()
        return one.trace_id.hex()

    return send
