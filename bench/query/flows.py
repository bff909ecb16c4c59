"""What the fleet does for its users: each kind of request as a root span and stages of up to four spans, in turn."""

from dataclasses import dataclass
from typing import Literal

Sort = Literal["http", "llm", "embedding", "image", "speech", "rerank", "call", "internal"]
"""What a span is, and so which attributes it has."""
Kind = Literal["internal", "server", "client", "producer", "consumer"]


@dataclass(frozen=True)
class Step:
    """One span of a stage: who makes it, and the part of the stage (0 to 1) that it takes."""

    service: str
    name: str
    kind: Kind
    sort: Sort
    begin: float = 0.0
    end: float = 1.0


@dataclass(frozen=True)
class Stage:
    """The spans of a stage: the first is a child of the root, the second of the first, the others as `nested` says."""

    steps: tuple[Step, Step, Step, Step]
    nested: bool = False
    """Whether the third and fourth are children of the second; of the first otherwise."""


@dataclass(frozen=True)
class Flow:
    """A kind of request. Its stages follow each other, from the start again where a trace has more spans than they."""

    name: str
    weight: float
    root: Step
    route: str
    median_ms: float
    """Of a trace of six spans; longer ones take longer."""
    stages: tuple[Stage, ...]


def _generation(caller: str, server: str, operation: str = "chat") -> Stage:
    return Stage(
        (
            Step(caller, operation, "client", "call"),
            Step(server, "llm_request", "server", "llm", 0.03, 0.98),
            Step(server, "prefill", "internal", "internal", 0.05, 0.22),
            Step(server, "decode", "internal", "internal", 0.22, 0.97),
        ),
        nested=True,
    )


def _retrieval(caller: str) -> Stage:
    return Stage(
        (
            Step(caller, "retrieve", "internal", "internal"),
            Step("embedder", "embed", "server", "embedding", 0.02, 0.30),
            Step("vector-search", "search documents", "server", "call", 0.32, 0.55),
            Step("reranker", "rerank", "server", "rerank", 0.57, 0.97),
        )
    )


def _check(caller: str) -> Stage:
    return Stage(
        (
            Step(caller, "check request", "client", "call"),
            Step("auth", "POST /verify", "server", "http", 0.05, 0.40),
            Step("guardrails", "moderate", "server", "call", 0.42, 0.95),
            Step("guardrails", "classify", "internal", "internal", 0.50, 0.90),
        )
    )


def _tool(caller: str) -> Stage:
    return Stage(
        (
            Step(caller, "execute_tool", "internal", "internal"),
            Step("tool-runner", "POST /run", "server", "http", 0.05, 0.97),
            Step("tool-runner", "sandbox.start", "internal", "internal", 0.08, 0.25),
            Step("tool-runner", "sandbox.exec", "internal", "internal", 0.25, 0.95),
        ),
        nested=True,
    )


def _work(caller: str, server: str, name: str, sort: Sort) -> Stage:
    return Stage(
        (
            Step(caller, f"call {name}", "client", "call"),
            Step(server, name, "server", sort, 0.04, 0.97),
            Step(server, "load input", "internal", "internal", 0.05, 0.20),
            Step(server, "encode output", "internal", "internal", 0.85, 0.96),
        ),
        nested=True,
    )


FLOWS = (
    Flow(
        "chat", 30, Step("api-gateway", "POST /v1/chat/completions", "server", "http"), "/v1/chat/completions", 2600.0,
        (_generation("chat-api", "llama-serving"), _check("chat-api"), _generation("chat-api", "qwen-serving")),
    ),
    Flow(
        "support", 10, Step("support-bot", "answer_ticket", "consumer", "internal"), "", 4200.0,
        (_retrieval("support-bot"), _generation("support-bot", "qwen-serving"), _check("support-bot")),
    ),
    Flow(
        "code", 14, Step("code-assist", "POST /v1/completions", "server", "http"), "/v1/completions", 700.0,
        (_generation("code-assist", "qwen-serving", "text_completion"), _check("code-assist")),
    ),
    Flow(
        "rag", 14, Step("api-gateway", "POST /v1/answers", "server", "http"), "/v1/answers", 3400.0,
        (_retrieval("rag-api"), _generation("rag-api", "deepseek-serving"), _check("rag-api")),
    ),
    Flow(
        "agent", 6, Step("agent-runner", "invoke_agent", "server", "internal"), "", 18000.0,
        (_generation("agent-runner", "deepseek-serving"), _tool("agent-runner"), _retrieval("agent-runner"),
         _generation("agent-runner", "llama-serving")),
    ),
    Flow(
        "batch", 5, Step("batch-scorer", "score batch", "consumer", "internal"), "", 30000.0,
        (_work("batch-scorer", "embedder", "embed", "embedding"),
         _generation("batch-scorer", "llama-serving", "text_completion")),
    ),
    Flow(
        "embeddings", 13, Step("api-gateway", "POST /v1/embeddings", "server", "http"), "/v1/embeddings", 60.0,
        (_work("api-gateway", "embedder", "embed", "embedding"),),
    ),
    Flow(
        "images", 4, Step("image-api", "POST /v1/images/generations", "server", "http"), "/v1/images/generations",
        9000.0, (_work("image-api", "image-gen", "generate image", "image"), _check("image-api")),
    ),
    Flow(
        "speech", 4, Step("transcription-api", "POST /v1/audio/transcriptions", "server", "http"),
        "/v1/audio/transcriptions", 1900.0, (_work("transcription-api", "asr-serving", "transcribe", "speech"),),
    ),
)  # fmt: skip

ROOT_STAGE = -1
"""The number of the stage that the root stands for."""
