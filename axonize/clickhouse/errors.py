"""What can go wrong between us and ClickHouse, decided once: worth trying again, too big, or wrong for good."""

import re

import urllib3
from clickhouse_connect.driver.exceptions import ClickHouseError as DriverError, DatabaseError, OperationalError

# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
TOO_LARGE_CODES = frozenset(
    {
        158,  # TOO_MANY_ROWS
        159,  # TIMEOUT_EXCEEDED
        160,  # TOO_SLOW
        241,  # MEMORY_LIMIT_EXCEEDED
        307,  # TOO_MANY_BYTES
        396,  # TOO_MANY_ROWS_OR_BYTES
    }
)
TRANSIENT_CODES = frozenset(
    {
        3,  # UNEXPECTED_END_OF_FILE
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
        75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
        76,  # CANNOT_OPEN_FILE
        77,  # CANNOT_CLOSE_FILE
        95,  # CANNOT_READ_FROM_SOCKET
        96,  # CANNOT_WRITE_TO_SOCKET
        159,  # TIMEOUT_EXCEEDED
        172,  # CANNOT_CREATE_DIRECTORY
        173,  # CANNOT_ALLOCATE_MEMORY
        201,  # QUOTA_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        204,  # CANNOT_FSYNC
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        279,  # ALL_CONNECTION_TRIES_FAILED
        285,  # TOO_FEW_LIVE_REPLICAS
        294,  # CANNOT_WRITE_TO_FILE
        319,  # UNKNOWN_STATUS_OF_INSERT
        373,  # SESSION_IS_LOCKED
        394,  # QUERY_WAS_CANCELLED
        425,  # SYSTEM_ERROR
        439,  # CANNOT_SCHEDULE_TASK
        473,  # DEADLOCK_AVOIDED
        499,  # S3_ERROR
        500,  # AZURE_BLOB_STORAGE_ERROR
        586,  # CANNOT_CREATE_FILE
        641,  # CANNOT_APPEND_TO_FILE
        733,  # TABLE_IS_BEING_RESTARTED
        735,  # QUERY_WAS_CANCELLED_BY_CLIENT
        737,  # GOOGLE_CLOUD_ERROR
        745,  # SERVER_OVERLOADED
        749,  # TCP_CONNECTION_LIMIT_REACHED
        762,  # HTTP_CONNECTION_LIMIT_REACHED
        776,  # RESOURCE_LIMIT_EXCEEDED
        777,  # MEMORY_RESERVATION_KILLED
        778,  # MEMORY_RESERVATION_FAILED
        999,  # KEEPER_EXCEPTION
    }
)
# These say nothing by themselves; the text of a full disk (ENOSPC) does.
NAMELESS_CODES = frozenset({0, 1000, 1001, 1002})  # none, POCO_EXCEPTION, STD_EXCEPTION, UNKNOWN_EXCEPTION
FULL_DISK = "No space left on device"
# What answers 5xx or 429 without a code of ClickHouse's is not the engine but what stands in front of it.
BUSY_FRONT = re.compile(r"HTTP status (?:5\d\d|429)\b")

# Errors of the server's state, whose sentence names our tables and its own bounds. That of any other may quote a value
# which was to be stored or asked for.
STATE_CODES = (TRANSIENT_CODES - {3, 32}) | {
    16,  # NO_SUCH_COLUMN_IN_TABLE
    60,  # UNKNOWN_TABLE
    81,  # UNKNOWN_DATABASE
    164,  # READONLY
    192,  # UNKNOWN_USER
    497,  # ACCESS_DENIED
    516,  # AUTHENTICATION_FAILED
}

SUMMARY_MAX_CHARACTERS = 1000
PREAMBLE = re.compile(r"^.*?DB::Exception: ", re.DOTALL)
# Where ClickHouse's sentence ends and its account of the place begins, which quotes SQL.
PLACE = re.compile(r"\n|[.:,]? \(|[.:,]? [Ww]hile | [Ii]n scope |: In expression|\. ")


class ClickHouseError(Exception):
    """ClickHouse refused a statement for good; `code` and `name` are its error's, 0 and '' where it named none."""

    def __init__(self, message: str, code: int = 0, name: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.name = name

    @property
    def summary(self) -> str:
        """What went wrong, without SQL: `TOO_LARGE_STRING_SIZE (131): Too large value for FixedString(16)`."""
        sentence = PLACE.split(PREAMBLE.sub("", str(self), count=1), maxsplit=1)[0].rstrip(" .:")
        return f"{self.name or 'ERROR'} ({self.code}): {sentence}"[:SUMMARY_MAX_CHARACTERS]

    @property
    def log_text(self) -> str:
        """What of it a log may say: the summary where that quotes no data, else its name and code alone."""
        if self.code in STATE_CODES:
            return self.summary
        return f"{self.name or type(self).__name__} ({self.code})"


class ClickHouseUnavailable(ClickHouseError):
    """ClickHouse is away, or busy in a way that passes: the same call may succeed later."""

    @property
    def log_text(self) -> str:
        """As of any error; one without a code is of the connection, and says all."""
        return super().log_text if self.code else str(self)[:SUMMARY_MAX_CHARACTERS]


class QueryTooLarge(ClickHouseError):
    """A read went over its bound in time, memory, rows or bytes: ask for less."""


def classify(error: Exception, *, reading: bool) -> ClickHouseError:
    """Turn what the driver raised into one of ours.

    `reading` tells a bounded read, whose limits are the asker's affair, from a write, where the same codes pass.
    """
    if isinstance(error, ClickHouseError):
        return error
    code, name = getattr(error, "code", None) or 0, getattr(error, "name", None) or ""
    if isinstance(error, urllib3.exceptions.HTTPError | OSError) or (isinstance(error, OperationalError) and not code):
        return ClickHouseUnavailable(f"ClickHouse does not answer: {_innermost(error)}")
    message = str(error)
    if reading and code in TOO_LARGE_CODES:
        return QueryTooLarge(message, code, name)
    if code in TRANSIENT_CODES or (code in NAMELESS_CODES and FULL_DISK in message):
        return ClickHouseUnavailable(message, code, name)
    if not code and isinstance(error, DriverError) and BUSY_FRONT.search(message):
        return ClickHouseUnavailable(message)
    if isinstance(error, DatabaseError | DriverError):
        return ClickHouseError(message, code, name)
    return ClickHouseError(f"{type(error).__name__}: {error}", code, name)


def _innermost(error: BaseException) -> BaseException:
    """Return what first went wrong; the drivers' own sentences around it are long and name it last."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error
