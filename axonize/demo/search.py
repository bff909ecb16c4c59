"""Retrieval-augmented answers and embeddings, instrumented with OpenInference: rag-api, the embedder, TGI."""

import json

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AttributeValue

from axonize.demo.engines import tgi_request
from axonize.demo.fleet import EMBEDDER, GATEWAYS, RAG, TGI
from axonize.demo.gateway import gateway_delay_ns, passed_on
from axonize.demo.generation import MISTRAL_7B, generate
from axonize.demo.load import Moment, gpu_attributes
from axonize.demo.spans import Scope, Step, exception_event, ns
from axonize.demo.texts import ANSWERS, DOCUMENTS, QUESTIONS

_OPENINFERENCE = Scope("openinference.instrumentation.langchain", "0.1.52")
_EMBEDDINGS = Scope("openinference.instrumentation.sentence_transformers", "0.1.3")
_STARLETTE = Scope("opentelemetry.instrumentation.starlette", "0.66b2")

_TIMEOUT_S = 20.0
# BGE-M3 on one L4.
_EMBEDDED_TOKENS_PER_SECOND = 21_000


def rag_answer(moment: Moment) -> Step:
    """Return a question answered from documents: embed it, look documents up, Mistral writes."""
    return _answer(moment, times_out=False)


def rag_timeout(moment: Moment) -> Step:
    """Return the same, but the model does not answer in time."""
    return _answer(moment, times_out=True)


def embed_documents(moment: Moment) -> Step:
    """Return a batch of documents embedded for the index, through the gateway."""
    texts = moment.rng.choice((16, 32, 64))
    server = _embed(moment, start_ns=gateway_delay_ns(moment) + 900_000, texts=texts, tokens=texts * 310)
    url = "http://embedder.inference.svc:7997/embeddings"
    return passed_on(moment, moment.rng.choice(GATEWAYS), url, server, route="/v1/embeddings")


def _answer(moment: Moment, *, times_out: bool) -> Step:
    rng, question = moment.rng, moment.rng.choice(QUESTIONS)
    embedding = _embed(moment, start_ns=ns(moment.noisy(0.003)), texts=1, tokens=rng.randint(9, 40))
    retrieval_ns = embedding.end_ns + 700_000
    scores: dict[str, AttributeValue] = {
        f"retrieval.documents.{rank}.document.{name}": value
        for rank, document in enumerate(rng.sample(DOCUMENTS, 3))
        for name, value in (("id", document), ("score", round(0.91 - 0.08 * rank - rng.random() * 0.05, 4)))
    }
    retrieval = Step(
        RAG,
        _OPENINFERENCE,
        "VectorStoreRetriever",
        retrieval_ns,
        retrieval_ns + ns(moment.noisy(0.019) * moment.slowness),
        scores | {"openinference.span.kind": "RETRIEVER", "input.value": question},
        ok=True,
    )
    llm = _llm_call(moment, question, start_ns=retrieval.end_ns + 400_000, times_out=times_out)
    attributes: dict[str, AttributeValue] = {
        "openinference.span.kind": "CHAIN",
        "session.id": f"session-{rng.randint(1, 300):04d}",
        "user.id": f"user-{rng.randint(1, 400):04d}",
        "input.value": question,
        "input.mime_type": "text/plain",
    }
    if not times_out:
        attributes["output.value"] = llm.attributes["output.value"]
    return Step(
        RAG,
        _OPENINFERENCE,
        "RetrievalQA",
        0,
        llm.end_ns + 900_000,
        attributes,
        error=llm.error,
        ok=not times_out,
        children=(embedding, retrieval, llm),
    )


def _llm_call(moment: Moment, question: str, *, start_ns: int, times_out: bool) -> Step:
    attributes: dict[str, AttributeValue] = {
        "openinference.span.kind": "LLM",
        "llm.system": "mistralai",
        "llm.provider": "huggingface",
        "llm.model_name": MISTRAL_7B.name,
        "llm.invocation_parameters": json.dumps({"temperature": 0.2, "max_tokens": 400}),
        "input.value": question,
    }
    if times_out:
        end_ns = start_ns + ns(_TIMEOUT_S)
        message = f"No answer from mistral-tgi within {_TIMEOUT_S:.0f} s"
        event = exception_event(
            end_ns,
            kind="httpx.ReadTimeout",
            message=message,
            source='File "/app/rag/chain.py", line 77, in write',
            line="answer = llm.invoke(prompt)",
        )
        return Step(
            RAG, _OPENINFERENCE, "ChatHuggingFace", start_ns, end_ns, attributes, error=message, events=(event,)
        )
    generation = generate(moment, TGI, MISTRAL_7B, prompt_tokens=1500, mean_output_tokens=130, cached=True)
    server = tgi_request(moment, TGI, generation, start_ns=start_ns + 1_300_000)
    attributes |= {
        "output.value": moment.rng.choice(ANSWERS),
        "llm.token_count.prompt": generation.prompt_tokens,
        "llm.token_count.completion": generation.output_tokens,
        "llm.token_count.total": generation.prompt_tokens + generation.output_tokens,
        "llm.token_count.prompt_details.cache_read": generation.cached_tokens,
        "llm.cost.total": generation.cost_usd,
    }
    return Step(
        RAG,
        _OPENINFERENCE,
        "ChatHuggingFace",
        start_ns,
        server.end_ns + 1_100_000,
        attributes,
        ok=True,
        children=(server,),
    )


def _embed(moment: Moment, *, start_ns: int, texts: int, tokens: int) -> Step:
    encode_ns = start_ns + 600_000
    duration_s = (0.004 + tokens / _EMBEDDED_TOKENS_PER_SECOND) * (1 + moment.load(EMBEDDER)) * moment.slowness
    attributes: dict[str, AttributeValue] = {
        "openinference.span.kind": "EMBEDDING",
        "embedding.model_name": "BAAI/bge-m3",
        "embedding.text_count": texts,
        "llm.token_count.prompt": tokens,
        "llm.token_count.total": tokens,
        "output.mime_type": "application/json",
    }
    encode = Step(
        EMBEDDER,
        _EMBEDDINGS,
        "CreateEmbeddings",
        encode_ns,
        encode_ns + ns(moment.noisy(duration_s)),
        attributes | gpu_attributes(moment, EMBEDDER),
        ok=True,
    )
    return Step(
        EMBEDDER,
        _STARLETTE,
        "POST /embeddings",
        start_ns,
        encode.end_ns + 500_000,
        {"http.request.method": "POST", "http.route": "/embeddings", "http.response.status_code": 200},
        SpanKind.SERVER,
        children=(encode,),
    )
