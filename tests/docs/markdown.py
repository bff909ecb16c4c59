"""The pages of the documentation as GitHub shows them: their prose, links, anchors and fenced blocks."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.processes import ROOT

_FENCED = re.compile(r"^```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Link:
    """A link to somewhere in this repository: the file or folder, and the anchor in it, '' where none is named."""

    target: Path
    anchor: str


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def prose(self) -> str:
        """All but the fenced blocks."""
        return _FENCED.sub("", self.text)

    def anchors(self) -> set[str]:
        """Return the names by which the headings are linked to.

        As GitHub makes them: the heading's text in lower case, without punctuation, blanks as hyphens, and a number
        behind those that were there before.
        """
        seen: Counter[str] = Counter()
        names = set()
        for heading in re.findall(r"^#{1,6} +(.+?) *$", self.prose, re.MULTILINE):
            shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
            name = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
            names.add(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
        return names

    def links(self) -> Iterator[Link]:
        """Yield the links that stay in the repository."""
        for address in re.findall(r"\]\(([^)\s]+)\)", self.prose):
            if not re.match(r"[a-z]+:", address):
                path, _, anchor = address.partition("#")
                yield Link((self.path.parent / path).resolve() if path else self.path, anchor)

    def blocks(self, language: str, *, under: str = "") -> list[str]:
        """Return the fenced blocks of a language, of the section `under` this heading where one is given."""
        text = self.text
        if under:
            found = re.search(
                rf"^(#+) {re.escape(under)}$\n(.*?)(?=^#{{1,6}} |\Z)", _FENCED.sub(_blank, text), _SECTION
            )
            assert found, f"{self} has no heading {under!r}"
            text = text[found.start(2) : found.end(2)]
        return [match["text"] for match in _FENCED.finditer(text) if match["language"] == language]

    def block(self, language: str, *, under: str) -> str:
        """Return the one such block."""
        [block] = self.blocks(language, under=under)
        return block


_SECTION = re.MULTILINE | re.DOTALL


def _blank(match: re.Match[str]) -> str:
    """Return as much of nothing as a fenced block takes, for a comment in it looks like a heading."""
    return re.sub(r"[^\n]", " ", match[0])


README = Page(ROOT / "README.md")
DOCS = [Page(path) for path in sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [README, Page(ROOT / "CHANGELOG.md"), *DOCS, *(Page(path) for path in sorted((ROOT / "tests").rglob("*.md")))]


def reading_order() -> list[Page]:
    """Return the pages that the README's numbered list leads to, each item's first link."""
    items = re.findall(r"^\d+\. \[[^\]]+\]\(([^)#]+)", README.text, re.MULTILINE)
    return [Page(ROOT / path) for path in items]
