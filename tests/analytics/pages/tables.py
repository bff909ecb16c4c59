"""Pages as people read them: the text of each part, and tables cell by cell."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    """Collects the rows of all tables, and the text and the address of each link."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._cell: list[str] | None = None
        self._link: tuple[list[str], str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self._cell = []
        elif tag == "a":
            self._link = ([], dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"} and self._cell is not None:
            self.rows[-1].append(" ".join("".join(self._cell).split()))
            self._cell = None
        elif tag == "a" and self._link is not None:
            texts, address = self._link
            self.links.append((" ".join("".join(texts).split()), address))
            self._link = None

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        for texts in (self._cell, self._link[0] if self._link else None):
            if texts is not None:
                texts.append(f" {data}" if data.strip() else data)


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    return reader


def rows_of(page: str) -> list[list[str]]:
    """Return the text of each cell of each row."""
    return _read(page).rows


def text_of(page: str) -> str:
    """Return all text, blanks as one."""
    return " ".join(" ".join(_read(page).texts).split())


def links_of(page: str) -> dict[str, str]:
    """Return the address of each link by its text; of those with the same text, the first's."""
    return dict(reversed(_read(page).links))
