"""What all operations of the OpenAPI document have in common, put into it at one place."""

from http import HTTPStatus
from typing import Any, Final

from django.conf import settings

from axonize.api import (
    NO_SUCH_ADDRESS,
    RETRY_AFTER_SECONDS,
    SERVER_ERROR,
    PreconditionFailed,
    ServiceUnavailable,
    TooLarge,
)

_ERROR_SCHEMA: Final = {"$ref": "#/components/schemas/Error"}
_TAGS: Final = {
    "traces": "Requests as they went through the services: found, whole, and deleted.",
    "spans": "Steps of any trace.",
    "gpus": "What processes can run on, cards and MIG slices, and what their sensors read.",
    "analytics": "The numbers over the traces and spans of a time range.",
    "registry": "The inventory of GPUs, to be read and corrected.",
    "health": "Whether the server lives and is ready.",
}
_SPELLED: Final = {"gpu": "GPU", "gpus": "GPUs"}

# By status: when it is the answer, and the code, the sentence and the parameter or field of one such answer.
_ERRORS: Final[dict[str, tuple[str, str, str, str | None]]] = {
    "400": (
        "A parameter or a field of the body is wrong, and `attr` names it; or the body is no JSON.",
        "invalid",
        "Give an RFC 3339 time with its offset, such as 2026-02-07T10:00:00.123456789Z.",
        "start",
    ),
    "401": (
        "There is no API key, or one that is no good.",
        "not_authenticated",
        "This needs an API key: send it as `Authorization: Bearer ax_…`.",
        None,
    ),
    "403": (
        "The API key lacks the scope that this takes.",
        "permission_denied",
        "This needs an API key with the scope `admin`.",
        None,
    ),
    "404": ("There is nothing at this address.", "not_found", NO_SUCH_ADDRESS, None),
    "405": ("The address does not take this method.", "method_not_allowed", 'Method "POST" not allowed.', None),
    "406": (
        "The `Accept` header leaves out JSON.",
        "not_acceptable",
        "Could not satisfy the request Accept header.",
        None,
    ),
    "412": (
        "Somebody changed the object since the ETag of `If-Match` was read.",
        PreconditionFailed.default_code,
        PreconditionFailed.default_detail,
        None,
    ),
    "413": (
        "The body is too large.",
        "payload_too_large",
        f"A request has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.",
        None,
    ),
    "415": (
        "The body does not call itself JSON.",
        "unsupported_media_type",
        'Unsupported media type "text/plain" in request.',
        None,
    ),
    "422": ("The question is too large.", TooLarge.default_code, TooLarge.default_detail, None),
    "429": (
        "The API key asks too often.",
        "throttled",
        "Request was throttled. Expected available in 31 seconds.",
        None,
    ),
    "500": ("The server has a fault.", "error", SERVER_ERROR, None),
    "503": (
        "ClickHouse, PostgreSQL or Redis does not answer.",
        ServiceUnavailable.default_code,
        str(ServiceUnavailable("ClickHouse").detail),
        None,
    ),
}
_RETRY_AFTER: Final = {
    "Retry-After": {
        "description": "In how many seconds to ask again.",
        "schema": {"type": "integer", "minimum": 1, "example": RETRY_AFTER_SECONDS},
    }
}
_RETRYABLE: Final = {"429", "503"}


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give each operation a summary, and each error its reason, an example and its headers.

    A postprocessing hook of drf-spectacular; `result` is the document.
    """
    result["tags"] = [{"name": name, "description": description} for name, description in _TAGS.items()]
    result["components"]["examples"] = {f"Error{status}": _example(status) for status in _ERRORS}
    for operations in result["paths"].values():
        for operation in operations.values():
            words = operation["operationId"].split("_")
            operation["summary"] = " ".join([words[0].capitalize(), *(_SPELLED.get(word, word) for word in words[1:])])
            for status, response in operation["responses"].items():
                _describe(status, response)
    return result


def _describe(status: str, response: dict[str, Any]) -> None:
    answer = response.get("content", {}).get("application/json", {})
    if answer.get("schema") == _ERROR_SCHEMA:
        response["description"] = _ERRORS[status][0]
        answer["examples"] = {"Error": {"$ref": f"#/components/examples/Error{status}"}}
        if status in _RETRYABLE:
            response["headers"] = _RETRY_AFTER
    elif not response["description"]:
        response["description"] = HTTPStatus(int(status)).phrase


def _example(status: str) -> dict[str, Any]:
    description, code, detail, attr = _ERRORS[status]
    kind = "server_error" if status >= "500" else "client_error" if attr is None else "validation_error"
    return {
        "summary": description,
        "value": {"type": kind, "errors": [{"code": code, "detail": detail, "attr": attr}]},
    }
