"""The OpenAPI document as the server gives it out, and whether an answer is one that it describes."""

from typing import Any

import schemathesis
import yaml
from django.test import Client
from requests import PreparedRequest
from schemathesis import Response
from schemathesis.schemas import BaseSchema


def read_document() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(Client().get("/api/schema").content)
    return document


def schema_of(document: dict[str, Any]) -> BaseSchema:
    return schemathesis.openapi.from_dict(document)


def validate(schema: BaseSchema, method: str, path: str, *, status: int, content_type: str | None, body: bytes) -> None:
    """Raise FailureGroup where the document has no such answer to this method of this path."""
    asked = PreparedRequest()
    asked.prepare(method=method, url="http://localhost/")
    headers = {"content-type": [content_type]} if content_type else {}
    answer = Response(status_code=status, headers=headers, content=body, request=asked, elapsed=0.0, verify=False)
    schema[path][method].validate_response(answer)
