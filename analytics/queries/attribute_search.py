"""Which spans have these attributes? Conditions on `spans`, with what its index needs to skip those that have not."""

import math
import re
from collections.abc import Sequence
from typing import Final

from analytics.attributes import INT64_MAX, INT64_MIN, encodings
from analytics.queries.conditions import Conditions
from axonize.clickhouse import client as clickhouse

_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

# The expression of the index attribute_values, as schema/0034 has it: it is recognised by its text.
_VALUE_HASHES: Final = """arrayConcat(
    arrayMap(value -> cityHash64(value), mapValues(attributes_string)),
    arrayMap(value -> cityHash64(value), mapValues(attributes_int)),
    arrayMap(value -> cityHash64(value), mapValues(attributes_double)),
    arrayMap(value -> cityHash64(value), mapValues(attributes_encoded)))"""


class _Match:
    """One KEY=VALUE: the SQL that tells whether a row's maps have it, and the hashes under which the index would."""

    def __init__(self, number: int, key: str, text: str) -> None:
        """Take a pair; a number matches by its value (1.50 finds 1.5), so 1 and 1.0 both find a whole double."""
        self._prefix = f"attribute_{number}"
        self.parameters: dict[str, object] = {f"{self._prefix}_key": key}
        self._tests: list[str] = []
        self.hashes: list[str] = []
        self.is_indexed = text not in ("true", "false", "NaN")  # bools are not in it, and NaN has many bits
        self._equals("string", "String", text)
        if text in ("true", "false"):
            self._equals("bool", "Bool", text)
        self._equals_number(text)
        encoded = [value.hex() for value in encodings(text)]
        if encoded:
            name = self._bind("encoded", "Array(String)", encoded)
            self._test("encoded", f"has({name}, lower(hex({{value}})))")
            self.hashes += [
                f"cityHash64(unhex({self._bind(f'encoded_{at}', 'String', one)}))" for at, one in enumerate(encoded)
            ]

    @property
    def sql(self) -> str:
        return f"({' OR '.join(self._tests)})"

    def _equals_number(self, text: str) -> None:
        number = float(text) if _NUMBER.fullmatch(text) else _NON_FINITE.get(text)
        if number is None:
            return
        if math.isnan(number):
            self._test("double", "isNaN({value})")  # it equals nothing, itself included
        else:
            self._equals("double", "Float64", str(number))
            if number == 0:
                self.hashes.append("cityHash64(toFloat64('-0.0'))")
                self.hashes.append("cityHash64(toFloat64(0))")
        integer = int(text) if re.fullmatch(r"-?[0-9]+", text) else int(number) if number.is_integer() else None
        if integer is not None and INT64_MIN <= integer <= INT64_MAX:
            self._equals("int", "Int64", integer)

    def _equals(self, kind: str, clickhouse_type: str, value: object) -> None:
        name = self._bind(kind, clickhouse_type, value)
        self._test(kind, f"{{value}} = {name}")
        if kind != "bool":
            self.hashes.append(f"cityHash64({name})")

    def _test(self, kind: str, test: str) -> None:
        column, key = f"attributes_{kind}", f"{{{self._prefix}_key:String}}"
        # a key that is absent reads as the type's default, so its presence is asked for too
        self._tests.append(f"(mapContains({column}, {key}) AND {test.replace('{value}', f'{column}[{key}]')})")

    def _bind(self, name: str, clickhouse_type: str, value: object) -> str:
        self.parameters[f"{self._prefix}_{name}"] = value
        return f"{{{self._prefix}_{name}:{clickhouse_type}}}"


def attribute_conditions(tenant: str, attributes: Sequence[tuple[str, str]]) -> Conditions:
    """Return the conditions on a row of `spans` that it or its resource has these attributes, by the text JSON shows.

    Asks one query, which resources have them, unless there are no attributes.
    """
    matches = [_Match(number, key, text) for number, (key, text) in enumerate(attributes)]
    conditions = Conditions()
    if not matches:
        return conditions
    for number, (match, resource_ids) in enumerate(zip(matches, _resources(tenant, matches), strict=True)):
        conditions.parameters.update(match.parameters)
        if resource_ids:
            ids = f"SELECT toFixedString(unhex(arrayJoin({{resources_{number}:Array(String)}})), 16)"
            conditions.add(f"({match.sql} OR resource_id IN ({ids}))", **{f"resources_{number}": resource_ids})
        else:
            conditions.add(match.sql)
            if match.is_indexed:
                conditions.add(f"indexHint(hasAny({_VALUE_HASHES}, [{', '.join(match.hashes)}]))")
    return conditions


def _resources(tenant: str, matches: Sequence[_Match]) -> list[list[str]]:
    """Return for each pair the ids, in hex, of the resources that have it."""
    columns = ", ".join(
        f"groupUniqArrayIf(lower(hex(resource_id)), {match.sql}) AS resources_{number}"
        for number, match in enumerate(matches)
    )
    parameters: dict[str, object] = {"tenant": tenant}
    for match in matches:
        parameters.update(match.parameters)
    (row,) = clickhouse.query(f"SELECT {columns} FROM resources WHERE tenant = {{tenant:String}}", parameters)
    return [row[f"resources_{number}"] for number in range(len(matches))]
