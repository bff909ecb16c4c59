"""Chat through the gateway: a support bot or a user, the gateway (OpenLLMetry), vLLM behind it."""

import json
from dataclasses import dataclass

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from axonize.demo.engines import vllm_request
from axonize.demo.fleet import CHAT_VLLM, GATEWAYS, SUPPORT_BOT, Pod
from axonize.demo.gateway import gateway_delay_ns, gateway_request
from axonize.demo.generation import CHAT_8B, Generation, generate
from axonize.demo.load import Moment
from axonize.demo.spans import Event, Scope, Step, exception_event, ns
from axonize.demo.texts import ANSWERS, LONG_DOCUMENT, QUESTIONS

_OPENAI = Scope("opentelemetry.instrumentation.openai.v1", "0.62.4")
# Releases before 0.49 spoke the conventions' earlier names.
_OPENAI_OLD = Scope("opentelemetry.instrumentation.openai.v1", "0.40.2")
_BOT = Scope("support_bot")

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class _Failure:
    """How the OpenAI client tells that a call failed, and what the gateway answers then."""

    kind: str
    message: str
    http_status: int


_NOT_FOUND = _Failure(
    "openai.NotFoundError", "Error code: 404 - The model `llama-4-maverick` does not exist", http_status=404
)
_TIMED_OUT = _Failure("openai.APITimeoutError", "Request timed out.", http_status=504)


def user_chat(moment: Moment, *, streaming: bool) -> Step:
    """Return a user's chat: gateway, then vLLM."""
    return _through_gateway(moment, start_ns=0, streaming=streaming)


def long_document_chat(moment: Moment) -> Step:
    """Return a chat whose prompt is a document of some forty kilobytes."""
    return _through_gateway(moment, start_ns=0, streaming=True, question=LONG_DOCUMENT, prompt_tokens=9_800)


def missing_model_chat(moment: Moment) -> Step:
    """Return a chat that asks for a model which nobody serves: 404."""
    return _through_gateway(moment, start_ns=0, streaming=False, failure=_NOT_FOUND)


def timed_out_chat(moment: Moment) -> Step:
    """Return a chat that the gateway gave up; vLLM makes no span of a request that was aborted."""
    return _through_gateway(moment, start_ns=0, streaming=False, failure=_TIMED_OUT)


def support_ticket(moment: Moment) -> Step:
    """Return a ticket that the support bot, instrumented with an old OpenLLMetry, answers through the gateway."""
    looked_up_ns = ns(moment.noisy(0.018))
    server = _through_gateway(moment, start_ns=looked_up_ns + ns(moment.noisy(0.003)), streaming=False)
    engine = next(step for step, _ in server.walk() if step.name == "llm_request")
    call = Step(
        SUPPORT_BOT,
        _OPENAI_OLD,
        "openai.chat",
        looked_up_ns,
        server.end_ns + 1_100_000,
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": CHAT_8B.name,
            "gen_ai.response.model": CHAT_8B.name,
            "gen_ai.usage.prompt_tokens": engine.attributes["gen_ai.usage.prompt_tokens"],
            "gen_ai.usage.completion_tokens": engine.attributes["gen_ai.usage.completion_tokens"],
            "llm.is_streaming": False,
        },
        SpanKind.CLIENT,
        children=(server,),
    )
    return Step(
        SUPPORT_BOT,
        _BOT,
        "answer_ticket",
        0,
        call.end_ns + ns(moment.noisy(0.006)),
        {"ticket.id": f"T-{moment.rng.randint(10_000, 99_999)}", "ticket.priority": "normal", "ticket.reopened": False},
        events=(Event("knowledge_base.hit", looked_up_ns, {"articles": moment.rng.randint(1, 5)}),),
        children=(call,),
    )


def _through_gateway(
    moment: Moment,
    *,
    start_ns: int,
    streaming: bool,
    question: str | None = None,
    prompt_tokens: int = 420,
    failure: _Failure | None = None,
) -> Step:
    gateway, engine_pod = moment.rng.choice(GATEWAYS), moment.rng.choice(CHAT_VLLM)
    call_ns = start_ns + gateway_delay_ns(moment)
    attributes: dict[str, AttributeValue] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": CHAT_8B.name,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.request.temperature": 0.7,
        "gen_ai.is_streaming": streaming,
        "gen_ai.openai.api_base": "http://chat-vllm.inference.svc:8000/v1/",
        "gen_ai.conversation.id": f"conv-{moment.rng.randint(1, 900):05d}",
        "gen_ai.input.messages": _messages("user", question or moment.rng.choice(QUESTIONS)),
    }
    if failure is not None:
        call = _failed_call(moment, gateway, attributes, failure, start_ns=call_ns)
        return gateway_request(
            moment,
            gateway,
            "/v1/chat/completions",
            call,
            start_ns=start_ns,
            http_status=failure.http_status,
        )
    generation = generate(moment, engine_pod, CHAT_8B, prompt_tokens=prompt_tokens, mean_output_tokens=190, cached=True)
    engine = vllm_request(moment, engine_pod, generation, start_ns=call_ns + 1_200_000, max_tokens=1024)
    attributes |= _answer(moment, generation, streaming=streaming)
    call = Step(
        gateway,
        _OPENAI,
        "openai.chat",
        call_ns,
        engine.end_ns + 1_400_000,
        attributes,
        SpanKind.CLIENT,
        ok=streaming,
        events=_chunks(generation, engine.start_ns) if streaming else (),
        children=(engine,),
    )
    return gateway_request(moment, gateway, "/v1/chat/completions", call, start_ns=start_ns, http_status=200)


def _failed_call(
    moment: Moment, gateway: Pod, attributes: dict[str, AttributeValue], failure: _Failure, *, start_ns: int
) -> Step:
    end_ns = start_ns + ns(TIMEOUT_S if failure is _TIMED_OUT else moment.noisy(0.007))
    if failure is _NOT_FOUND:
        attributes |= {"gen_ai.request.model": "llama-4-maverick"}
    return Step(
        gateway,
        _OPENAI,
        "openai.chat",
        start_ns,
        end_ns,
        attributes | {"error.type": failure.kind.removeprefix("openai.")},
        SpanKind.CLIENT,
        error=failure.message,
        events=(
            exception_event(
                end_ns,
                kind=failure.kind,
                message=failure.message,
                source='File "/app/gateway/backends.py", line 118, in chat',
                line="response = await client.chat.completions.create(**body)",
            ),
        ),
    )


def _answer(moment: Moment, generation: Generation, *, streaming: bool) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        "gen_ai.response.model": generation.model.name,
        "gen_ai.response.id": f"chatcmpl-{moment.rng.getrandbits(96):024x}",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": generation.prompt_tokens,
        "gen_ai.usage.output_tokens": generation.output_tokens,
        "gen_ai.usage.total_tokens": generation.prompt_tokens + generation.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": generation.cached_tokens,
        "gen_ai.usage.cost": generation.cost_usd,
        "gen_ai.output.messages": _messages("assistant", moment.rng.choice(ANSWERS)),
    }
    if streaming:
        attributes["gen_ai.response.time_to_first_chunk"] = round(generation.ttft_s + 0.0021, 6)
    return attributes


def _chunks(generation: Generation, engine_start_ns: int) -> tuple[Event, ...]:
    """Return the stream's first chunks; OpenLLMetry notes every one, which says no more and costs a lot."""
    first_ns = engine_start_ns + ns(generation.ttft_s)
    token_ns = ns(generation.decode_s / generation.output_tokens)
    count = min(8, generation.output_tokens)
    return tuple(Event("gen_ai.content.completion.chunk", first_ns + number * token_ns) for number in range(count))


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])
