"""Query parameters of the API, validated: what is unknown, malformed, repeated or out of range is a 400 that names it.

Each endpoint declares its parameters as a `QueryParameters` class; the same class documents them in OpenAPI.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final

from django.core.signing import BadSignature, Signer
from django.http import QueryDict
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request

from analytics.times import MAX_NS, NS_PER_MS, format_time, milliseconds, parse_time

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 50
MAX_OFFSET: Final = 1_000_000
MAX_ATTRIBUTES: Final = 20
MAX_TEXT_LENGTH: Final = 1024
_MILLISECONDS: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
ATTRIBUTE_PREFIX: Final = "attr."
ATTRIBUTES_PARAMETER: Final = OpenApiParameter(
    "attr.KEY",
    str,
    description="KEY is an attribute's key, as in `attr.http.route=/v1/chat`; repeatable. Numbers and bools match by "
    "their text, arrays and maps by their JSON text. Attributes of the span and of its resource count.",
)


@extend_schema_field({"type": "string", "format": "date-time"})
class TimeField(serializers.Field[int, str, str, int]):
    """RFC 3339 outside, integer nanoseconds since 1970 UTC inside."""

    def to_internal_value(self, data: str) -> int:
        try:
            return parse_time(data)
        except ValueError as error:
            raise ValidationError(str(error), code="invalid") from error

    def to_representation(self, value: int) -> str:
        return format_time(value)


@extend_schema_field({"type": "number", "minimum": 0})
class MillisecondsField(serializers.Field[int, str, float, float]):
    """A duration in milliseconds outside, in nanoseconds inside; what comes in is cut off below a nanosecond."""

    def to_internal_value(self, data: str) -> int:
        if not _MILLISECONDS.fullmatch(data):
            raise ValidationError("Give a number of milliseconds, 0 or more, such as 12.5.", code="invalid")
        nanoseconds = int(Decimal(data) * NS_PER_MS)
        if nanoseconds > MAX_NS:
            raise ValidationError("Give a number of milliseconds below 292 years.", code="max_value")
        return nanoseconds

    def to_representation(self, value: float) -> float:
        return milliseconds(value)


class TextField(serializers.CharField):
    """A text that is compared as it stands, blanks at its ends included."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, trim_whitespace=False, max_length=MAX_TEXT_LENGTH, **kwargs)


class QueryParameters(serializers.Serializer[Any]):
    """The parameters of one endpoint, one a field. Those named in `repeatable` come as lists, others may stand once.

    Where it `has_attributes`, parameters that begin with `attribute_prefix` are taken too: any key, and a value.
    """

    repeatable: ClassVar[frozenset[str]] = frozenset()
    has_attributes: ClassVar[bool] = False
    attribute_prefix: ClassVar[str] = ATTRIBUTE_PREFIX

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """Return what read_query() returns of the request's query."""
        return cls.read_query(request.query_params)

    @classmethod
    def read_query(cls, query: QueryDict) -> dict[str, Any]:
        """Return the validated values by name, those of `attribute_prefix` as (key, value) pairs under `attributes`.

        An optional parameter that is absent and has no default is absent here too. Raises ValidationError naming
        every parameter that is wrong.
        """
        values: dict[str, Any] = {}
        serializer = cls(data=values)  # once, for its fields are copied for each; it looks at the values when validated
        known = serializer.fields
        attributes: list[tuple[str, str]] = []
        errors: dict[str, list[ErrorDetail]] = {}
        for name, given in query.lists():
            if cls.has_attributes and name.startswith(cls.attribute_prefix):
                attributes += [(name.removeprefix(cls.attribute_prefix), value) for value in given]
            elif name not in known:
                errors[name] = [ErrorDetail("There is no such parameter.", code="unknown")]
            elif name in cls.repeatable:
                values[name] = given
            elif len(given) > 1:
                errors[name] = [ErrorDetail("This parameter may stand only once.", code="repeated")]
            else:
                values[name] = given[0]
        errors.update(_attribute_errors(cls.attribute_prefix, attributes))
        if not serializer.is_valid():
            errors.update({name: detail for name, detail in serializer.errors.items() if name not in errors})
        if errors:
            raise ValidationError(errors)
        validated: dict[str, Any] = dict(serializer.validated_data)
        if cls.has_attributes:
            validated["attributes"] = tuple(attributes)
        return validated

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Hold each range of two parameters together."""
        for low, high in (("start", "end"), ("min_duration_ms", "max_duration_ms")):
            if low in attrs and high in attrs and attrs[low] > attrs[high]:
                raise ValidationError({high: f"Give an {high} that is not below {low}."}, code="invalid")
        return attrs


def _attribute_errors(prefix: str, attributes: Sequence[tuple[str, str]]) -> dict[str, list[ErrorDetail]]:
    errors = {}
    for key, value in attributes:
        if not key:
            errors[prefix] = [ErrorDetail(f"Name a key: {prefix}KEY=VALUE.", code="invalid")]
        elif "\0" in key or "\0" in value:
            errors[prefix + key] = [ErrorDetail("Null characters are not allowed.", code="invalid")]
        elif max(len(key), len(value)) > MAX_TEXT_LENGTH:
            sentence = f"Keys and values may have at most {MAX_TEXT_LENGTH} characters."
            errors[prefix + key] = [ErrorDetail(sentence, code="max_length")]
    if len(attributes) > MAX_ATTRIBUTES:
        last = prefix + attributes[-1][0]
        errors[last] = [ErrorDetail(f"Give at most {MAX_ATTRIBUTES} {prefix}KEY=VALUE.", code="max_value")]
    return errors


class PageParameters(QueryParameters):
    """What every list takes."""

    limit = serializers.IntegerField(
        min_value=1, max_value=MAX_LIMIT, default=DEFAULT_LIMIT, help_text="How many come at most."
    )
    offset = serializers.IntegerField(
        min_value=0,
        max_value=MAX_OFFSET,
        required=False,
        help_text="How many to skip; past a million follow `next` instead. Not together with `cursor`.",
    )
    cursor = serializers.CharField(
        required=False, max_length=4096, help_text="`next` of an answer to the same filters and order."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "cursor" in attrs and "offset" in attrs:
            raise ValidationError({"offset": "Give either cursor or offset."}, code="invalid")
        return super().validate(attrs)


_OF_PAGE: Final = frozenset(PageParameters().fields)


@dataclass(frozen=True)
class Page:
    """One page of a list: after the first `offset` rows, and where `after` is set, after the row with that key."""

    limit: int
    offset: int
    after: tuple[Any, ...] | None
    binding: str

    @property
    def skip(self) -> int:
        """Rows to skip in the query: none where the key says where to go on."""
        return self.offset if self.after is None else 0

    def next(self, key: Sequence[int | float | str | None]) -> str:
        """Return the cursor of the page after this one, whose last row has `key`: its sort values, then its id."""
        return _signer(self.binding).sign_object([self.offset + self.limit, *key])


def page_of(request: Request, parameters: Mapping[str, Any]) -> Page:
    """Return the page that validated PageParameters ask for, of the list at the request's path: see page_at()."""
    return page_at(request.path, parameters)


def page_at(path: str, parameters: Mapping[str, Any]) -> Page:
    """Return the page that validated PageParameters ask for, of the list at a path.

    A cursor is signed over the path and over every parameter but those of the page, defaults included: any other
    list, filter or order, and any text that this server did not give out, is a ValidationError on `cursor`.
    """
    filters = {name: value for name, value in parameters.items() if name not in _OF_PAGE}
    binding = json.dumps([path, filters], sort_keys=True, default=str)
    limit, text = parameters["limit"], parameters.get("cursor")
    if text is None:
        return Page(limit, parameters.get("offset", 0), None, binding)
    try:
        offset, *key = _signer(binding).unsign_object(text)
    except BadSignature as error:
        sentence = "This cursor is not of this list, filter and order. Start again without it."
        raise ValidationError({"cursor": sentence}, code="invalid") from error
    return Page(limit, offset, tuple(key), binding)


def _signer(binding: str) -> Signer:
    return Signer(salt=f"cursor.v1:{binding}")
