"""Just enough of ClickHouse's grammar to know where an INSERT's data begins and which format an answer has."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""
      (?P<skip>\s+ | --[^\n]* | \#[!\ ][^\n]* | /\*.*?\*/)
    | (?P<quoted>'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*` | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<word>[A-Za-z_]\w*)
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_DATA_GAP = re.compile(rb"[ \t\f]*\r?\n?")  # what ParserInsertQuery skips between the format's name and the data


@dataclass(frozen=True)
class Statement:
    """The outline of one SQL text."""

    verb: str
    """The first word, upper case; empty when there is none."""
    format: str | None
    """The format that the text names, for an INSERT's data or for the answer."""
    insert: "InsertOutline | None"
    """Set for an INSERT whose data stands, or is to come, in a format."""


@dataclass(frozen=True)
class InsertOutline:
    """An INSERT, cut where ``FROM INFILE`` has to go and where its data begins (offsets in bytes)."""

    head_end: int
    settings_end: int
    data_start: int


def outline(text: bytes) -> Statement:
    """Read the outline of a statement; an INSERT's data is never looked at.

    >>> outline(b"SELECT 1 FORMAT JSON").format
    'JSON'
    """
    verb, depth, settings_at = "", 0, None
    previous: re.Match[bytes] | None = None
    found: str | None = None
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "skip":
            continue
        depth += (kind == "open") - (kind == "close")
        if kind == "word" and not verb:
            verb = token[0].upper().decode()
        elif kind == "word" and depth == 0:
            word = token[0].upper()
            after_format = previous is not None and previous[0].upper() == b"FORMAT"
            if after_format and previous is not None:
                found = token[0].decode()
                if verb == "INSERT":
                    return _insert(text, verb, found, previous.start(), token.end(), settings_at)
            elif word == b"VALUES" and verb == "INSERT":
                return _insert(text, verb, "Values", token.start(), token.end(), settings_at)
            elif word == b"SETTINGS":
                settings_at = token.start()
        previous = token if kind == "word" else None
    return Statement(verb, found, None)


def _insert(text: bytes, verb: str, name: str, clause_at: int, name_end: int, settings_at: int | None) -> Statement:
    gap = _DATA_GAP.match(text, name_end)
    data_start = gap.end() if gap else name_end
    head_end = clause_at if settings_at is None else settings_at
    return Statement(verb, name, InsertOutline(head_end, clause_at, data_start))


def insert_from_file(text: bytes, statement: Statement, path: str, compression: str) -> bytes:
    """Rewrite an INSERT to read its data from a file in place of what followed it.

    Args:
        text: the SQL text that ``statement`` outlines.
        statement: an outline with ``insert`` set.
        path: an absolute path that needs no escaping beyond quotes and backslashes.
        compression: one of ClickHouse's compression method names, ``none`` for plain data.

    """
    cut = statement.insert
    if cut is None:
        raise ValueError("The statement is no INSERT with data.")
    quoted = path.replace("\\", "\\\\").replace("'", "\\'").encode()
    infile = b"\nFROM INFILE '%s' COMPRESSION '%s'\n" % (quoted, compression.encode())
    settings = text[cut.head_end : cut.settings_end]
    return text[: cut.head_end] + infile + settings + b"\nFORMAT " + (statement.format or "").encode()
