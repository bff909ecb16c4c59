"""LLM serving with the Axonize SDK: chat on two slices, code completion on one; and a small model on staging."""

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from axonize.demo.axonize_sdk import out_of_memory, sdk_span
from axonize.demo.engines import rtp_request
from axonize.demo.fleet import CODE, GATEWAYS, LLAMA, RTP, Pod
from axonize.demo.gateway import gateway_delay_ns, passed_on
from axonize.demo.generation import CODE_7B, LLAMA_70B, QWEN_SMALL, Generation, generate
from axonize.demo.load import Moment, energy_wh, gpu_attributes
from axonize.demo.spans import Event, Step, ns


def llama_chat(moment: Moment) -> Step:
    """Return a streamed chat on one of the two llama-serving pods, called directly."""
    return _chat_request(moment, start_ns=0)


def llama_out_of_memory(moment: Moment) -> Step:
    """Return a chat that finds no room for its cache on the slice."""
    return _chat_request(moment, start_ns=0, fails=True)


def llama_through_gateway(moment: Moment) -> Step:
    """Return a chat that the gateway passes on to llama-serving."""
    request = _chat_request(moment, start_ns=gateway_delay_ns(moment) + 900_000)
    url = "http://llama-serving.inference.svc:8080/v1/chat/completions"
    return passed_on(moment, moment.rng.choice(GATEWAYS), url, request, route="/v1/premium/completions")


def code_completion(moment: Moment) -> Step:
    """Return a short completion for an editor, on a slice whose sensors read 0."""
    generation = generate(moment, CODE, CODE_7B, prompt_tokens=900, mean_output_tokens=36)
    step = _generate(moment, CODE, generation, start_ns=ns(moment.noisy(0.0012)), cost_key="cost.estimated_usd")
    attributes: dict[str, AttributeValue] = {"editor.language": moment.rng.choice(("python", "go", "typescript"))}
    return sdk_span(CODE, "complete-code", 0, step.end_ns + 300_000, attributes, children=(step,))


def staging_chat(moment: Moment) -> Step:
    """Return a chat with the small model on staging."""
    generation = generate(moment, RTP, QWEN_SMALL, prompt_tokens=260, mean_output_tokens=120)
    return rtp_request(moment, RTP, generation, start_ns=0)


def _chat_request(moment: Moment, *, start_ns: int, fails: bool = False) -> Step:
    pod = moment.rng.choice(LLAMA)
    tokenized_ns = start_ns + 200_000 + ns(moment.noisy(0.0025))
    tokenize = sdk_span(pod, "tokenize", start_ns + 200_000, tokenized_ns, {})
    if fails:
        step = _failed_generate(moment, pod, start_ns=tokenized_ns + 100_000)
    else:
        generation = generate(moment, pod, LLAMA_70B, prompt_tokens=380, mean_output_tokens=110)
        step = _generate(moment, pod, generation, start_ns=tokenized_ns + 100_000, cost_key="cost.usd")
    attributes: dict[str, AttributeValue] = {
        "user.tier": moment.rng.choice(("free", "pro", "enterprise")),
        "stream": True,
        "queue.depth": round(12 * moment.load(pod) ** 3),
    }
    return sdk_span(
        pod,
        "chat-request",
        start_ns,
        step.end_ns + 250_000,
        attributes,
        error=step.error,
        children=(tokenize, step),
    )


def _generate(moment: Moment, pod: Pod, generation: Generation, *, start_ns: int, cost_key: str) -> Step:
    attributes: dict[str, AttributeValue] = {
        "ai.model.name": generation.model.name,
        "ai.model.version": "instruct-awq",
        "ai.inference.type": "llm",
        "ai.inference.batch_size": 1 + round(15 * moment.load(pod)),
        "ai.llm.tokens.input": generation.prompt_tokens,
        "ai.llm.tokens.output": generation.output_tokens,
        "ai.llm.tokens_per_second": generation.tokens_per_second,
        "ai.llm.ttft_ms": round(generation.ttft_s * 1000, 3),
        cost_key: generation.cost_usd,
        "cost.energy_wh": energy_wh(moment, pod, generation.inference_s),
    }
    return sdk_span(
        pod,
        "generate",
        start_ns,
        start_ns + ns(generation.total_s),
        attributes | gpu_attributes(moment, pod),
        kind=SpanKind.SERVER,
        events=(Event("first_token", start_ns + ns(generation.ttft_s)),),
    )


def _failed_generate(moment: Moment, pod: Pod, *, start_ns: int) -> Step:
    end_ns = start_ns + ns(moment.noisy(0.09))
    message, event = out_of_memory(
        pod,
        end_ns,
        asked_gib=1.25,
        source='File "/srv/llama/engine.py", line 204, in prefill',
        line="logits, cache = self.model(input_ids, cache)",
    )
    attributes: dict[str, AttributeValue] = {"ai.model.name": LLAMA_70B.name, "ai.inference.type": "llm"}
    return sdk_span(
        pod,
        "generate",
        start_ns,
        end_ns,
        attributes | gpu_attributes(moment, pod),
        kind=SpanKind.SERVER,
        error=message,
        events=(event,),
    )
