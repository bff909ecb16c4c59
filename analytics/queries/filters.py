"""Which spans are meant: the span-level filters of the API as conditions on `spans`, all to be met by one span."""

import math
import re
from dataclasses import dataclass, field
from typing import Final

from analytics.attributes import INT64_MAX, INT64_MIN, encodings

_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class SpanFilter:
    """What one span must satisfy, all of it; None does not ask. `attributes` are (key, value's text) pairs."""

    service_name: str | None = None
    environment: str | None = None
    name: str | None = None
    model_name: str | None = None
    resource_uuid: str | None = None
    physical_uuid: str | None = None
    node_id: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass
class Conditions:
    """SQL conditions, to be joined by AND, and the values bound to them."""

    sql: list[str] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)

    def add(self, sql: str, **parameters: object) -> None:
        self.sql.append(sql)
        self.parameters.update(parameters)


def span_conditions(wanted: SpanFilter) -> Conditions:
    """Return the conditions on a row of `spans`; they bind `tenant` too, which the caller provides."""
    conditions = Conditions()
    for column in ("service_name", "environment", "name", "model_name"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.add(f"{column} = {{{column}:String}}", **{column: value})
    if wanted.resource_uuid is not None:
        conditions.add("has(gpus.resource_uuid, {resource_uuid:String})", resource_uuid=wanted.resource_uuid)
    for column in ("physical_uuid", "node_id"):
        value = getattr(wanted, column)
        if value is not None:
            conditions.add(_gpu_condition(column), **{column: value})
    for number, (key, value) in enumerate(wanted.attributes):
        _add_attribute(conditions, f"attribute_{number}", key, value)
    return conditions


def _gpu_condition(column: str) -> str:
    """Return the condition that a GPU of the span has this; where the span says nothing, the registry's word counts."""
    return f"""(has(gpus.{column}, {{{column}:String}}) OR arrayExists(
        (sent, resource) -> sent = '' AND has(
            (
                SELECT groupArray(resource_uuid) FROM dictionary('registry')
                WHERE tenant = {{tenant:String}} AND {column} = {{{column}:String}}
            ),
            resource),
        gpus.{column}, gpus.resource_uuid))"""


def _add_attribute(conditions: Conditions, prefix: str, key: str, text: str) -> None:
    """Add: the span or its resource has this attribute, shown in JSON by this text.

    A number matches by its value (1.50 finds 1.5), so that both ways to write a whole double, 1 and 1.0, find it.
    """
    parameters: dict[str, object] = {f"{prefix}_key": key, f"{prefix}_string": text}
    matches = [_match("string", prefix, "String")]
    if text in ("true", "false"):
        parameters[f"{prefix}_bool"] = text
        matches.append(_match("bool", prefix, "Bool"))
    number = _NON_FINITE.get(text) if not _NUMBER.fullmatch(text) else float(text)
    if number is not None:
        parameters[f"{prefix}_double"] = str(number)
        # NaN equals nothing, itself included
        matches.append(_match("double", prefix, "Float64", test="isNaN({value})" if math.isnan(number) else None))
        integer = int(text) if re.fullmatch(r"-?[0-9]+", text) else int(number) if number.is_integer() else None
        if integer is not None and INT64_MIN <= integer <= INT64_MAX:
            parameters[f"{prefix}_int"] = integer
            matches.append(_match("int", prefix, "Int64"))
    encoded = encodings(text)
    if encoded:
        parameters[f"{prefix}_encoded"] = [value.hex() for value in encoded]
        in_set = f"has({{{prefix}_encoded:Array(String)}}, lower(hex({{value}})))"
        matches.append(_match("encoded", prefix, "String", test=in_set))
    any_match = " OR ".join(matches)
    conditions.add(
        f"(({any_match}) OR resource_id IN "
        f"(SELECT resource_id FROM resources WHERE tenant = {{tenant:String}} AND ({any_match})))",
        **parameters,
    )


def _match(kind: str, prefix: str, clickhouse_type: str, test: str | None = None) -> str:
    column, key = f"attributes_{kind}", f"{{{prefix}_key:String}}"
    test = test or f"{{value}} = {{{prefix}_{kind}:{clickhouse_type}}}"
    # a key that is absent reads as the type's default, so its presence is asked for too
    return f"(mapContains({column}, {key}) AND {test.replace('{value}', f'{column}[{key}]')})"
