"""The trace id in an address."""

import re
from typing import Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

TRACE_ID_PARAMETER: Final = OpenApiParameter("trace_id", str, OpenApiParameter.PATH, description="32 hex characters.")
NO_SUCH_TRACE: Final = "There is no such trace."
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")


def read_trace_id(text: str) -> str:
    """Return the id in lower case. Raises ValidationError where it is none."""
    if not _TRACE_ID.fullmatch(text.lower()):
        raise ValidationError({"trace_id": "Give the trace id as 32 hexadecimal characters."}, code="invalid")
    return text.lower()
