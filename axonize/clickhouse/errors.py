"""What can go wrong between us and ClickHouse, decided once: worth trying again, too big, or wrong for good."""

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
        159,  # TIMEOUT_EXCEEDED
        202,  # TOO_MANY_SIMULTANEOUS_QUERIES
        203,  # NO_FREE_CONNECTION
        209,  # SOCKET_TIMEOUT
        210,  # NETWORK_ERROR
        225,  # NO_ZOOKEEPER
        236,  # ABORTED
        241,  # MEMORY_LIMIT_EXCEEDED
        242,  # TABLE_IS_READ_ONLY
        243,  # NOT_ENOUGH_SPACE
        252,  # TOO_MANY_PARTS
        285,  # TOO_FEW_LIVE_REPLICAS
        319,  # UNKNOWN_STATUS_OF_INSERT
        373,  # SESSION_IS_LOCKED
        394,  # QUERY_WAS_CANCELLED
        999,  # KEEPER_EXCEPTION
    }
)


class ClickHouseError(Exception):
    """ClickHouse refused a statement for good; `code` is its error code, 0 where it named none."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class ClickHouseUnavailable(ClickHouseError):
    """ClickHouse is away, or busy in a way that passes: the same call may succeed later."""


class QueryTooLarge(ClickHouseError):
    """A read went over its bound in time, memory, rows or bytes: ask for less."""


def classify(error: Exception, *, reading: bool) -> ClickHouseError:
    """Turn what the driver raised into one of ours.

    `reading` tells a bounded read, whose limits are the asker's affair, from a write, where the same codes pass.
    """
    if isinstance(error, ClickHouseError):
        return error
    code = getattr(error, "code", None) or 0
    if isinstance(error, urllib3.exceptions.HTTPError | OSError) or (isinstance(error, OperationalError) and not code):
        return ClickHouseUnavailable(f"ClickHouse does not answer: {_innermost(error)}")
    if reading and code in TOO_LARGE_CODES:
        return QueryTooLarge(str(error), code)
    if code in TRANSIENT_CODES:
        return ClickHouseUnavailable(str(error), code)
    if isinstance(error, DatabaseError | DriverError):
        return ClickHouseError(str(error), code)
    return ClickHouseError(f"{type(error).__name__}: {error}", code)


def _innermost(error: BaseException) -> BaseException:
    """Return what first went wrong; the drivers' own sentences around it are long and name it last."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error
