"""SGLang with prefill and decode on separate slices: request, thread and slice spans, ordered by links.

The tree is SGLang's (docs/references/production_request_trace.md): a bootstrap room holds the requests of router,
prefill and decode; each request holds its threads, each thread its slices of work, and each slice links to the slice
that ran before it, wherever that was.
"""

import json
import uuid

from opentelemetry.util.types import AttributeValue

from axonize.demo.fleet import PAIR_DECODE, PAIR_PREFILL, PAIR_ROUTER, Pod
from axonize.demo.generation import DEEPSEEK_LITE, Generation, generate
from axonize.demo.load import Moment, gpu_attributes, gpu_reference
from axonize.demo.spans import SECOND_NS, Scope, Step, ns

_SGLANG = Scope("sglang server")


def disaggregated_chat(moment: Moment) -> Step:
    """Return a chat whose prompt is read on one slice and whose answer is written on another."""
    generation = generate(moment, PAIR_DECODE, DEEPSEEK_LITE, prompt_tokens=2400, mean_output_tokens=210, cached=True)
    room, rid = moment.rng.getrandbits(63), f"{moment.rng.getrandbits(128):032x}"
    dispatch = _slice(PAIR_ROUTER, "mini_lb_launch", 300_000, 1_900_000, after=None)
    tokenize_ns = dispatch.end_ns + 600_000
    tokenize = _slice(PAIR_PREFILL, "tokenize", tokenize_ns, tokenize_ns + ns(moment.noisy(0.004)), after=dispatch)
    bootstrap = _slice(
        PAIR_PREFILL,
        "prefill_bootstrap",
        tokenize.end_ns + 200_000,
        tokenize.end_ns + 200_000 + ns(generation.queue_s),
        after=tokenize,
    )
    forward = _slice(
        PAIR_PREFILL,
        "prefill_forward",
        bootstrap.end_ns,
        bootstrap.end_ns + ns(generation.prefill_s),
        after=bootstrap,
        attributes=gpu_reference(PAIR_PREFILL),
    )
    transfer_s = generation.prompt_tokens * 2.2e-6
    transfer = _slice(
        PAIR_PREFILL,
        "prefill_transfer_kv_cache",
        forward.end_ns,
        forward.end_ns + ns(moment.noisy(transfer_s)),
        after=forward,
        attributes=gpu_reference(PAIR_PREFILL),
    )
    prepare = _slice(PAIR_DECODE, "decode_prepare", tokenize_ns, forward.end_ns, after=dispatch)
    transferred = _slice(PAIR_DECODE, "decode_transferred", forward.end_ns, transfer.end_ns + 400_000, after=transfer)
    loop = _slice(
        PAIR_DECODE,
        "decode_loop",
        transferred.end_ns,
        transferred.end_ns + ns(generation.decode_s),
        after=transferred,
        attributes={"decode_ct": generation.output_tokens} | gpu_reference(PAIR_DECODE),
    )
    requests = (
        _request(moment, PAIR_ROUTER, "router", rid, {"router": (dispatch,)}, end_ns=loop.end_ns + 1_400_000),
        _request(
            moment,
            PAIR_PREFILL,
            "prefill",
            rid,
            {"Tokenizer": (tokenize,), "Scheduler [TP 0] ": (bootstrap, forward, transfer)},
            end_ns=transfer.end_ns + 500_000,
        ),
        _request(
            moment,
            PAIR_DECODE,
            "decode",
            rid,
            {"Scheduler [TP 0] ": (prepare, transferred, loop)},
            end_ns=loop.end_ns + 900_000,
            attributes=_usage(rid, generation, start_ns=tokenize_ns, first_token_ns=loop.start_ns, end_ns=loop.end_ns),
        ),
    )
    return Step(
        PAIR_ROUTER,
        _SGLANG,
        f"Bootstrap Room {room:#x}",
        0,
        loop.end_ns + 1_600_000,
        {"bootstrap_room": f"{room:#x}"},
        children=requests,
    )


def _slice(
    pod: Pod,
    name: str,
    start_ns: int,
    end_ns: int,
    *,
    after: Step | None,
    attributes: dict[str, AttributeValue] | None = None,
) -> Step:
    return Step(pod, _SGLANG, name, start_ns, end_ns, attributes or {}, links=(after,) if after else ())


def _request(
    moment: Moment,
    pod: Pod,
    role: str,
    rid: str,
    threads: dict[str, tuple[Step, ...]],
    *,
    end_ns: int,
    attributes: dict[str, AttributeValue] | None = None,
) -> Step:
    pid = int(str(pod.resource["process.pid"]))
    host_id = uuid.uuid5(uuid.NAMESPACE_DNS, pod.node).hex
    children = tuple(
        Step(
            pod,
            _SGLANG,
            f"{label}(host:{host_id[:8]} | pid:{pid + number})",
            slices[0].start_ns,
            slices[-1].end_ns,
            {"host_id": host_id, "pid": pid + number, "thread_label": label.split(" ")[0]},
            children=slices,
        )
        for number, (label, slices) in enumerate(threads.items())
    )
    return Step(
        pod,
        _SGLANG,
        f"{role} Req {rid[:8]}",
        min(child.start_ns for child in children),
        end_ns,
        {"rid": rid} | (attributes or {}) | gpu_attributes(moment, pod),
        children=children,
    )


def _usage(
    rid: str, generation: Generation, *, start_ns: int, first_token_ns: int, end_ns: int
) -> dict[str, AttributeValue]:
    ttft_s = (first_token_ns - start_ns) / SECOND_NS
    return {
        "gen_ai.request.id": rid,
        "gen_ai.request.max_tokens": 1024,
        "gen_ai.response.model": generation.model.name,
        "gen_ai.response.finish_reasons": json.dumps(["stop"]),
        "gen_ai.usage.prompt_tokens": generation.prompt_tokens,
        "gen_ai.usage.completion_tokens": generation.output_tokens,
        "gen_ai.usage.cached_tokens": generation.cached_tokens,
        "gen_ai.latency.time_to_first_token": ttft_s,
        "gen_ai.latency.time_in_model_prefill": generation.prefill_s,
        "gen_ai.latency.time_in_model_decode": generation.decode_s,
        "gen_ai.latency.time_in_model_inference": generation.inference_s,
        "gen_ai.latency.e2e": (end_ns - start_ns) / SECOND_NS,
    }
