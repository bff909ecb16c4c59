"""Patience with PostgreSQL: a connection whose server answers nothing for too long is given up.

`statement_timeout` is the server's own bound and holds while the server runs. One that is stopped keeps whoever waits
for it: the system finds out after a quarter of an hour where the network is at fault, and on a socket never.
"""

import time
from typing import Any, ClassVar, Final

from psycopg import Connection, OperationalError
from psycopg.rows import TupleRow

GRACE_SECONDS: Final = 2.0
"""How much later than the server itself would end a statement it is taken to be silent."""
WAKE_SECONDS: Final = 0.1
"""How often a wait looks whether it was interrupted; psycopg's own default."""
SILENT_SECONDS: Final = 2.0
"""The patience with a server that was silent when it was asked last."""


class BoundedConnection(Connection[TupleRow]):
    """Raises OperationalError, and is closed, where the server says nothing for `patience_seconds`."""

    patience_seconds: float | None = None
    """None is without end: for a session that lifts `statement_timeout` for itself."""
    is_server_silent: ClassVar[bool] = False
    """Of all connections of the process, lest each of them finds out anew."""

    def wait(self, gen: Any, interval: float = WAKE_SECONDS, timeout: float | None = None) -> Any:
        if timeout is not None or self.patience_seconds is None:
            return super().wait(gen, interval, timeout)
        patience_seconds = SILENT_SECONDS if BoundedConnection.is_server_silent else self.patience_seconds
        deadline_s = time.monotonic() + patience_seconds
        try:
            result = super().wait(gen, interval, patience_seconds)
        except OperationalError as error:
            if time.monotonic() < deadline_s or self.closed:
                raise
            BoundedConnection.is_server_silent = True
            self.pgconn.finish()
            raise OperationalError(f"PostgreSQL has said nothing for {patience_seconds:.0f} s.") from error
        BoundedConnection.is_server_silent = False
        return result


def bounded(statement_seconds: float) -> type[BoundedConnection]:
    """Return the class of connections to a server that ends each statement after so many seconds."""
    return type("BoundedConnection", (BoundedConnection,), {"patience_seconds": statement_seconds + GRACE_SECONDS})
