"""JSON bodies as RFC 8259 has them: the API's one parser and its one renderer."""

import json
from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.utils.json import strict_constant

UNREADABLE = (
    "The body can't be read as JSON: it is UTF-8 without NaN, Infinity and names with halves of characters, "
    "and nested less than this."
)


class JSONBodyParser(JSONParser):
    """Reads a body as UTF-8 (section 8.1), whatever charset is named: some of Python's inflate what they read.

    Raises ParseError, for a nesting that Python's own parser gives up on too.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  DRF's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002  as above
    ) -> Any:
        try:
            text = stream.read().decode()
            found = json.loads(text, parse_constant=strict_constant, object_pairs_hook=_members)
        except json.JSONDecodeError as error:
            raise ParseError(f"The body is no JSON: {error}.") from error
        except (ValueError, RecursionError) as error:
            raise ParseError(UNREADABLE) from error
        return found


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; raises ValueError where a name has half a surrogate pair (section 8.2).

    No answer could repeat such a name to say that it is wrong. Of a value its field's validator says so.
    """
    for name, _ in pairs:
        if not name.isascii():
            name.encode()
    return dict(pairs)


class JSONBodyRenderer(JSONRenderer):
    """Writes what DRF's own renderer writes, at a tenth of its time; what only its encoder knows, that writes.

    drf-orjson-renderer would do, but writes null for what it does not know. NaN and Infinity are null.
    """

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        if data is None or self.get_indent(accepted_media_type or "", renderer_context or {}):
            return bytes(super().render(data, accepted_media_type, renderer_context))
        return orjson.dumps(data, default=self.encoder_class().default, option=orjson.OPT_PASSTHROUGH_DATETIME)
