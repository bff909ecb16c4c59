"""SQL conditions that are put together from constant texts, and the values that the server binds to them."""

from dataclasses import dataclass, field


@dataclass
class Conditions:
    """SQL conditions, to be joined by AND, and the values bound to them."""

    sql: list[str] = field(default_factory=list)
    parameters: dict[str, object] = field(default_factory=dict)

    def add(self, sql: str, **parameters: object) -> None:
        self.sql.append(sql)
        self.parameters.update(parameters)

    def extend(self, others: "Conditions") -> None:
        self.sql += others.sql
        self.parameters.update(others.parameters)

    def where(self) -> str:
        """Return them as what follows WHERE, for one tenant, which the caller binds."""
        return " AND ".join(["tenant = {tenant:String}", *self.sql])
