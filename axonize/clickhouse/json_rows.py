"""Answers whose values stay the JSON texts that ClickHouse writes, for rows that are passed on rather than looked into.

Its C++ writes them, and taking them as they are costs Python a tenth of making objects of them and JSON of those again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from axonize.clickhouse.client import bound, get_client, read_settings
from axonize.clickhouse.errors import classify
from axonize.metrics.reads import Read, asker

# https://clickhouse.com/docs/interfaces/formats/CustomSeparated: JSON escapes both delimiters, so no value has them.
_VALUE_END: Final = b"\x1f"
_ROW_END: Final = b"\x1e"
_FORMAT: Final = "CustomSeparatedWithNames"
_FORMAT_SETTINGS: Final[dict[str, object]] = {
    "format_custom_escaping_rule": "JSON",
    "format_custom_field_delimiter": _VALUE_END.decode(),
    "format_custom_row_after_delimiter": _ROW_END.decode(),
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_decimals": 0,
    "output_format_json_quote_denormals": 1,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_map_as_array_of_tuples": 0,
    "output_format_json_named_tuples_as_objects": 1,
    # the answer comes whole, so an error in its middle is no part of it
    "wait_end_of_query": 1,
}


@dataclass(frozen=True)
class JsonRows:
    """Rows, each value the UTF-8 JSON text of it.

    A time is its RFC 3339 text in UTC with all digits, a whole double a number without a point, and one that is no
    number "nan", "inf" or "-inf". A string that holds no text is in it byte by byte: see value_of and bytes_of.
    """

    names: list[str]
    rows: list[bytes]

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> list[bytes]:
        """Return the values of one column of all rows."""
        at = self.names.index(name)
        return [row.split(_VALUE_END, at + 1)[at] for row in self.rows]

    def columns(self, begin: int = 0, end: int | None = None) -> dict[str, list[bytes]]:
        """Return the values of rows `begin` to before `end`, by column name."""
        values = _VALUE_END.join(self.rows[begin:end]).split(_VALUE_END) if self.rows[begin:end] else []
        return {name: values[at :: len(self.names)] for at, name in enumerate(self.names)}


def query_json(
    sql: str, parameters: Mapping[str, object] | None = None, *, settings: Mapping[str, object] | None = None
) -> JsonRows:
    """Run one bounded read as axonize.clickhouse.client.query does, and return its values as JSON texts.

    Raises QueryTooLarge over a bound of time, memory or rows, ClickHouseUnavailable, ClickHouseError.
    """
    with Read(asker()):
        try:
            answer = get_client().raw_query(
                sql,
                parameters=bound(sql, parameters),
                settings={**read_settings(), **_FORMAT_SETTINGS, **(settings or {})},
                fmt=_FORMAT,
            )
        except Exception as error:
            raise classify(error, reading=True) from error
    head, *rows = answer.split(_ROW_END)
    rows.pop()  # what follows the last row's end
    names = [name.decode().strip('"') for name in head.split(_VALUE_END)]
    return JsonRows(names, rows)


def value_of(text: bytes) -> Any:
    """Return what a value's JSON text says, also where strings in it hold no text."""
    return json.loads(text.decode("utf-8", "surrogateescape"))


def bytes_of(text: str) -> bytes:
    """Return the bytes of a string that value_of found and that holds no text."""
    return text.encode("utf-8", "surrogateescape")
