"""What is asked of the embedded ClickHouse, what it counts meanwhile, and what it answers instead of a result."""

import errno
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

CANNOT_WRITE = 75
NOT_ENOUGH_SPACE = 243
UNKNOWN_EXCEPTION = 1002
_ERROR = re.compile(r"^(?:Code: \d+\. DB::Exception: )*Code: (?P<code>\d+)\. DB::Exception: (?P<message>.*)", re.DOTALL)


class EngineError(Exception):
    """ClickHouse's refusal: ``code`` is its number, the text is what its own HTTP interface would send."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code

    @classmethod
    def made(cls, code: int, name: str, message: str) -> "EngineError":
        """Make a refusal that the HTTP front itself decides on."""
        return cls(code, f"Code: {code}. DB::Exception: {message} ({name})")

    @classmethod
    def read(cls, raised: RuntimeError, version: str) -> "EngineError":
        """Read chDB's exception, whose text is ClickHouse's, sometimes with ``Code: …`` said twice."""
        match = _ERROR.match(str(raised))
        if match is None:
            return cls.made(UNKNOWN_EXCEPTION, "UNKNOWN_EXCEPTION", f"{raised}")
        text = f"Code: {match['code']}. DB::Exception: {match['message'].rstrip()}"
        return cls(int(match["code"]), text if "(version " in text else f"{text} (version {version})")


@contextmanager
def disk_errors_told() -> Iterator[None]:
    """Tell what the disk refuses to this front itself as ClickHouse tells it, so that clients know it for what it is.

    Raises:
        EngineError: in place of an OSError.

    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EngineError.made(NOT_ENOUGH_SPACE, "NOT_ENOUGH_SPACE", f"{error.strerror}.") from None
        raise EngineError.made(CANNOT_WRITE, "CANNOT_WRITE_TO_FILE_DESCRIPTOR", f"{error}.") from None


@dataclass(frozen=True)
class Query:
    """One statement with all that goes with it."""

    text: bytes
    query_id: str
    format: str = "TabSeparated"
    verb: str = ""
    streamed: bool = False
    """Whether the answer may come in pieces; only for a SELECT in a format whose blocks can be strung together."""
    read_only: bool = False
    database: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Values of ``{name:Type}``, each escaped as in a TabSeparated cell."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of this query alone."""
    session_id: str = ""
    session_timeout_seconds: float = 60.0


@dataclass
class Summary:
    """What a query read and wrote so far, as ClickHouse counts it."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0
    elapsed_ns: int = 0

    def add(self, result: Any, size_bytes: int) -> None:
        """Count one piece of a result, a chDB ``query_result``."""
        self.read_rows += result.storage_rows_read()
        self.read_bytes += result.storage_bytes_read()
        self.written_rows += result.rows_written()
        self.written_bytes += result.bytes_written()
        self.result_rows += result.rows_read()
        self.result_bytes += size_bytes
