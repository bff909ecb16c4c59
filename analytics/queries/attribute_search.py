"""Which spans have these attributes? Conditions on `spans`, by the hashes of keys and values that it holds."""

import math
import re
from collections.abc import Sequence
from typing import Final

from analytics.attributes import INT64_MAX, INT64_MIN, encodings
from analytics.queries.conditions import Conditions
from axonize.clickhouse import client as clickhouse

_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?")
_NON_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class _Match:
    """One KEY=VALUE: the SQL of the hashes, as schema/0076 makes them, of all that is shown as this text."""

    def __init__(self, number: int, key: str, text: str) -> None:
        """Take a pair; a number matches by its value (1.50 finds 1.5), so 1 and 1.0 both find a whole double."""
        self._prefix = f"attribute_{number}"
        self.parameters: dict[str, object] = {f"{self._prefix}_key": key}
        self._hashes: list[str] = []
        self._add("string", "String", text)  # or a bool
        self._add_number(text)
        for at, encoded in enumerate(encodings(text)):
            self._add(f"encoded_{at}", "String", encoded.hex(), value="'encoded', unhex({value})")

    @property
    def sql(self) -> str:
        return f"hasAny(attribute_hashes, [{', '.join(self._hashes)}])"

    def _add_number(self, text: str) -> None:
        number = float(text) if _NUMBER.fullmatch(text) else _NON_FINITE.get(text)
        if number is None:
            return
        self._add("double", "Float64", str(number + 0.0), value="'double', {value}")  # + 0.0 makes 0 of -0
        if math.isfinite(number):
            integer = int(text) if re.fullmatch(r"-?[0-9]+", text) else int(number) if number.is_integer() else None
            if integer is not None and INT64_MIN <= integer <= INT64_MAX:
                self._add("int", "Int64", integer)

    def _add(self, name: str, clickhouse_type: str, bound: object, *, value: str = "{value}") -> None:
        self.parameters[f"{self._prefix}_{name}"] = bound
        hashed = value.replace("{value}", f"{{{self._prefix}_{name}:{clickhouse_type}}}")
        self._hashes.append(f"cityHash64({{{self._prefix}_key:String}}, {hashed})")


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
