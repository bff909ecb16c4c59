"""JSON bodies as RFC 8259 has them, read by the API's one parser."""

import json
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser
from rest_framework.utils.json import strict_constant

UNREADABLE = "The body can't be read as JSON: it is UTF-8 without NaN and Infinity, and nested less than this."


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
            return json.loads(stream.read().decode(), parse_constant=strict_constant)
        except json.JSONDecodeError as error:
            raise ParseError(f"The body is no JSON: {error}.") from error
        except (ValueError, RecursionError) as error:
            raise ParseError(UNREADABLE) from error
