"""Models that notice, when they are saved, whether one of their fields is what it was in the database."""

from collections.abc import Collection
from typing import Any, ClassVar, Final, Self

from django.db import models

# Of a field that was deferred: nobody who did not read it has changed it.
_NOT_READ: Final = object()


class Remembering(models.Model):
    """Remembers what `remembered_field` was when the object was read or saved."""

    remembered_field: ClassVar[str]
    _remembered: Any = None

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        self._remember()

    @classmethod
    def from_db(cls, db: str | None, field_names: Collection[str], values: Collection[Any], **kwargs: Any) -> Self:
        found = super().from_db(db, field_names, values, **kwargs)
        found._remember()  # noqa: SLF001  its own
        return found

    def refresh_from_db(self, *args: Any, **kwargs: Any) -> None:
        super().refresh_from_db(*args, **kwargs)
        self._remember()

    def differs(self) -> bool:
        """Tell whether the field was changed since."""
        return self._remembered is not _NOT_READ and getattr(self, self.remembered_field) != self._remembered

    def _remember(self) -> None:
        self._remembered = self.__dict__.get(self.remembered_field, _NOT_READ)
