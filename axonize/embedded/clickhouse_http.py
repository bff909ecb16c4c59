"""ClickHouse's HTTP interface over the embedded engine: what clickhouse-connect and curl speak, on loopback."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from axonize.embedded.chdb_engine import Engine
from axonize.embedded.chdb_query import EngineError
from axonize.embedded.clickhouse_answer import Answer, refusal
from axonize.embedded.clickhouse_request import read_request

CONCURRENT_QUERIES_MAX = 64
CANCELLED_QUERIES_GRACE_SECONDS = 1.0


def application(engine: Engine, directory: str) -> Starlette:
    """Make the ASGI application.

    Args:
        engine: where queries run; closed when the application's lifespan ends.
        directory: where large bodies and answers go meanwhile.

    """
    pool = ThreadPoolExecutor(CONCURRENT_QUERIES_MAX, thread_name_prefix="query")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        pool.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(engine.close, grace_seconds=CANCELLED_QUERIES_GRACE_SECONDS)

    async def query(request: Request) -> Response:
        if request.method != "POST" and "query" not in request.query_params:
            return await ping(request)
        try:
            return Answer(engine, pool, await read_request(request, directory), directory)
        except EngineError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=499)

    async def ping(_: Request) -> Response:
        return PlainTextResponse("Ok.\n")

    return Starlette(
        routes=[Route("/", query, methods=["GET", "POST"]), Route("/ping", ping)],
        lifespan=lifespan,
    )
