"""CSV that a spreadsheet opens without running anything, and that comes back as it was."""

from typing import Any, Final

import tablib
from import_export.formats.base_formats import CSV

# What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_MARK: Final = "'"


class SafeCSV(CSV):
    """CSV in which a text that looks like a formula has an apostrophe before it.

    The library's own guard drops the equals sign, which changes the text, and knows no other beginning.
    """

    def export_data(self, dataset: tablib.Dataset, **kwargs: Any) -> str:
        guarded = tablib.Dataset(*(tuple(map(_guard, row)) for row in dataset), headers=dataset.headers)
        text: str = super().export_data(guarded, **kwargs)
        return text

    def create_dataset(self, in_stream: str | bytes, **kwargs: Any) -> tablib.Dataset:
        dataset = super().create_dataset(in_stream, **kwargs)
        return tablib.Dataset(*(tuple(map(_unguard, row)) for row in dataset), headers=dataset.headers)


def _guard(cell: object) -> str:
    text = str(cell)
    return f"{_MARK}{text}" if text.lstrip(_MARK).startswith(_FORMULA) else text


def _unguard(cell: str) -> str:
    return cell[len(_MARK) :] if cell.startswith(_MARK) and cell.lstrip(_MARK).startswith(_FORMULA) else cell
