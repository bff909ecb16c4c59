"""The requests that are sent: the Axonize SDK's, GenAI spans of several emitters, and single spans."""

import gzip
import random
from collections.abc import Callable, Iterator, Mapping

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from bench.axonize_sdk import attributes, set_attributes
from bench.query.fleet import pods
from bench.query.requests import message
from bench.template import Template, add_span

TEMPLATES = 10
"""How many different requests of a mix there are."""
GENAI_SPANS = 512
GZIP_LEVEL = 6  # of the OpenTelemetry SDKs and of Go's Collector
QUESTIONS = (
    "Summarize the meeting of last Tuesday in five points. ",
    "Translate this letter into English, keep the tone of it. ",
    "Which of our customers in Lyon have not renewed their contract? ",
    "Explain the error below and suggest a fix that changes little. ",
)


def sdk(dice: random.Random) -> ExportTraceServiceRequest:
    """Return 512 spans of 8 pods, 5 a trace, each with 22 attributes, 13 of them of its GPU."""
    return message([pod for pod in pods() if pod.devices], dice)


def genai(dice: random.Random) -> ExportTraceServiceRequest:
    """Return 512 spans, 4 a trace: a web server's, an agent's, OpenLLMetry's with its texts, and vLLM's."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    for key, text in {
        "service.name": "assistant",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
        "k8s.pod.name": f"assistant-{dice.randrange(8)}",
    }.items():
        resource_spans.resource.attributes.add(key=key).value.string_value = text
    scope_spans = resource_spans.scope_spans.add()
    for first in range(0, GENAI_SPANS, 4):
        for step, (name, kind, values) in enumerate(_served(dice)):
            span = add_span(scope_spans, first + step, step, name=name, kind=kind)
            span.status.code = Status.STATUS_CODE_OK
            set_attributes(span, values)
    return request


def single(dice: random.Random) -> ExportTraceServiceRequest:
    """Return one span with the attributes of the Axonize SDK."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "llama-serving"
    span = add_span(resource_spans.scope_spans.add(), 0, 0, name="generate", kind=Span.SPAN_KIND_SERVER)
    set_attributes(span, attributes(dice))
    return request


MIXES: Mapping[str, Callable[[random.Random], ExportTraceServiceRequest]] = {
    "sdk": sdk,
    "genai": genai,
    "single": single,
}


def templates(mix: str, *, seed: int) -> list[Template]:
    """Return different requests of a mix."""
    made = []
    for number in range(TEMPLATES):
        dice = random.Random(f"{mix}/{seed}/{number}")  # noqa: S311 - no secret
        made.append(Template(MIXES[mix](dice), dice))
    return made


def compressed(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL)


def _served(dice: random.Random) -> Iterator[tuple[str, Span.SpanKind.ValueType, dict[str, str | int | float]]]:
    """Yield the spans of one request to a chat assistant: name, kind and attributes."""
    tokens_input, tokens_output = dice.randrange(100, 4000), dice.randrange(10, 900)
    question = dice.choice(QUESTIONS) * dice.randrange(1, 40)
    yield (
        "POST /chat",
        Span.SPAN_KIND_SERVER,
        {
            "http.request.method": "POST",
            "http.route": "/chat",
            "http.response.status_code": 200,
            "url.path": "/chat",
            "server.address": "assistant.example",
            "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0)",
        },
    )
    yield (
        "invoke_agent helper",
        Span.SPAN_KIND_INTERNAL,
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "helper",
            "gen_ai.conversation.id": f"{dice.getrandbits(64):016x}",
        },
    )
    yield (
        "openai.chat",
        Span.SPAN_KIND_CLIENT,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "openai",
            "gen_ai.request.model": "llama-3-70b",
            "gen_ai.response.model": "llama-3-70b-instruct",
            "gen_ai.response.id": f"chatcmpl-{dice.getrandbits(96):024x}",
            "gen_ai.usage.input_tokens": tokens_input,
            "gen_ai.usage.output_tokens": tokens_output,
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": question,
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": question[::-1],
            "gen_ai.completion.0.finish_reason": "stop",
            "llm.request.type": "chat",
            "llm.is_streaming": "true",
        },
    )
    yield (
        "llm_request",
        Span.SPAN_KIND_SERVER,
        {
            "gen_ai.request.id": f"cmpl-{dice.getrandbits(96):024x}",
            "gen_ai.response.model": "meta-llama/Llama-3-70b",
            "gen_ai.request.max_tokens": 1024,
            "gen_ai.request.temperature": 0.7,
            "gen_ai.request.top_p": 0.95,
            "gen_ai.request.n": 1,
            "gen_ai.usage.prompt_tokens": tokens_input,
            "gen_ai.usage.completion_tokens": tokens_output,
            "gen_ai.latency.time_in_queue": dice.random() / 10,
            "gen_ai.latency.time_to_first_token": dice.random(),
            "gen_ai.latency.e2e": 1 + dice.random(),
            "gen_ai.latency.time_in_scheduler": dice.random() / 100,
            "gen_ai.latency.time_in_model_forward": dice.random(),
            "gen_ai.latency.time_in_model_execute": dice.random(),
        },
    )
