"""Whether the receiver, the worker and the beat do their work, asked as their users ask them. None of these raises."""

import socket
import ssl

import grpc
import redis
from celery import Celery
from kombu.exceptions import OperationalError

TIMEOUT_SECONDS = 2


def grpc_answers(address: str) -> bool:
    """Whether a gRPC server takes a connection at ``host:port``."""
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            grpc.channel_ready_future(channel).result(TIMEOUT_SECONDS)
        except grpc.FutureTimeoutError:
            return False
    return True


def tls_answers(host: str, port: int) -> bool:
    """Whether a server answers TLS's handshake, be it to say that it wants to see a certificate.

    The server's own certificate is not looked at: it is for the name that clients know, and this is its own machine.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with (
            socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as connection,
            context.wrap_socket(connection),
        ):
            return True
    except ssl.SSLEOFError:
        return False
    except ssl.SSLError as error:
        return error.reason is not None and "ALERT" in error.reason
    except OSError:
        return False


def worker_answers(app: Celery) -> bool:
    """Whether a worker answers Celery's ping."""
    try:
        with app.connection_for_write() as connection:
            return bool(app.control.ping(timeout=TIMEOUT_SECONDS / 2, limit=1, connection=connection))
    except (OperationalError, redis.RedisError, OSError):
        return False


def beat_answers(app: Celery) -> bool:
    """Whether a worker has run a task that only the schedule sends: the beat has fired, and it arrives."""
    scheduled = {entry["task"] for entry in app.conf.beat_schedule.values()}
    try:
        with app.connection_for_write() as connection:
            replies = app.control.inspect(timeout=TIMEOUT_SECONDS / 2, limit=1, connection=connection).stats() or {}
    except (OperationalError, redis.RedisError, OSError):
        return False
    return any(scheduled & stats["total"].keys() for stats in replies.values())
