"""The spans that inference engines make of one generation, as their own instrumentation does: vLLM, TGI, RTP-LLM."""

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from axonize.demo.fleet import Pod
from axonize.demo.generation import Generation
from axonize.demo.load import Moment, gpu_attributes
from axonize.demo.spans import MILLISECOND_NS, SECOND_NS, Scope, Step, ns

_VLLM = Scope("vllm.llm_engine")
_TGI = Scope("opentelemetry-otlp", "0.13.0")
_RTP = Scope("rtp_llm.server")


def vllm_request(moment: Moment, pod: Pod, generation: Generation, *, start_ns: int, max_tokens: int) -> Step:
    """Return vLLM's one span a request; its latencies are seconds as doubles."""
    attributes: dict[str, AttributeValue] = {
        "gen_ai.response.model": generation.model.name,
        "gen_ai.request.id": f"chatcmpl-{moment.rng.getrandbits(128):032x}",
        "gen_ai.request.temperature": 0.7,
        "gen_ai.request.top_p": 0.95,
        "gen_ai.request.max_tokens": max_tokens,
        "gen_ai.request.n": 1,
        "gen_ai.usage.prompt_tokens": generation.prompt_tokens,
        "gen_ai.usage.completion_tokens": generation.output_tokens,
        "gen_ai.latency.time_in_queue": generation.queue_s,
        "gen_ai.latency.time_to_first_token": generation.ttft_s,
        "gen_ai.latency.time_in_model_prefill": generation.prefill_s,
        "gen_ai.latency.time_in_model_decode": generation.decode_s,
        "gen_ai.latency.time_in_model_inference": generation.inference_s,
        "gen_ai.latency.e2e": generation.total_s,
    }
    return Step(
        pod,
        _VLLM,
        "llm_request",
        start_ns,
        start_ns + ns(generation.total_s),
        attributes | gpu_attributes(moment, pod),
        SpanKind.SERVER,
    )


def tgi_request(moment: Moment, pod: Pod, generation: Generation, *, start_ns: int) -> Step:
    """Return TGI's router spans; it writes durations as Rust's Duration prints itself, and knows no GPU."""
    validation_ns = ns(moment.noisy(0.0007))
    queue_ns, inference_ns = ns(generation.queue_s), ns(generation.inference_s)
    total_ns = validation_ns + queue_ns + inference_ns
    generate = Step(
        pod,
        _TGI,
        "generate",
        start_ns + 150_000,
        start_ns + 150_000 + total_ns,
        {
            "code.namespace": "text_generation_router::server",
            "parameters": f"GenerateParameters {{ max_new_tokens: Some({generation.output_tokens + 64}), seed: None }}",
            "total_time": rust_duration(total_ns),
            "validation_time": rust_duration(validation_ns),
            "queue_time": rust_duration(queue_ns),
            "inference_time": rust_duration(inference_ns),
            "time_per_token": rust_duration(inference_ns // generation.output_tokens),
            "seed": f"Some({moment.rng.getrandbits(63)})",
        },
    )
    return Step(
        pod,
        _TGI,
        "POST /v1/chat/completions",
        start_ns,
        generate.end_ns + 300_000,
        {"http.request.method": "POST", "http.route": "/v1/chat/completions", "http.response.status_code": 200},
        SpanKind.SERVER,
        children=(generate,),
    )


def rtp_request(moment: Moment, pod: Pod, generation: Generation, *, start_ns: int) -> Step:
    """Return RTP-LLM's server span; its latencies are nanoseconds as integers."""
    attributes: dict[str, AttributeValue] = {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": generation.model.name,
        "gen_ai.response.id": f"chat-{moment.rng.getrandbits(64):016x}",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": generation.prompt_tokens,
        "gen_ai.usage.output_tokens": generation.output_tokens,
        "gen_ai.latency.time_in_queue": ns(generation.queue_s),
        "gen_ai.latency.time_to_first_token": ns(generation.ttft_s),
        "gen_ai.latency.time_in_model_prefill": ns(generation.prefill_s),
        "gen_ai.latency.time_in_model_decode": ns(generation.decode_s),
    }
    return Step(
        pod,
        _RTP,
        "POST /v1/chat/completions",
        start_ns,
        start_ns + ns(generation.total_s) + 900_000,
        attributes | gpu_attributes(moment, pod),
        SpanKind.SERVER,
    )


def rust_duration(duration_ns: int) -> str:
    """Return a duration as Rust's `{:?}` prints a `std::time::Duration`: 1.5s, 12.34ms, 3.4µs, 870ns."""
    for unit_ns, unit in ((SECOND_NS, "s"), (MILLISECOND_NS, "ms"), (1_000, "µs")):
        if duration_ns >= unit_ns:
            whole, rest = divmod(duration_ns, unit_ns)
            fraction = str(unit_ns + rest)[1:].rstrip("0")
            return f"{whole}.{fraction}{unit}" if fraction else f"{whole}{unit}"
    return f"{duration_ns}ns"
