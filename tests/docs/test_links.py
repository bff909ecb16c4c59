"""Whoever reads the documentation comes everywhere, and each link leads where it says."""

import itertools
import re
from pathlib import Path

import pytest

from tests.docs.markdown import DOCS, PAGES, README, Page, reading_order
from tests.processes import ROOT


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_each_link_leads_to_a_file_and_to_a_heading_in_it(page: Page) -> None:
    wrong = [
        link
        for link in page.links()
        if not link.target.exists()
        or ROOT not in (link.target, *link.target.parents)
        or (link.anchor and link.anchor not in Page(link.target).anchors())
    ]
    assert wrong == []


def test_anchors_are_made_as_github_makes_them(tmp_path: Path) -> None:
    page = Page(tmp_path / "page.md")
    page.path.write_text(
        "# What a span costs, and who pays\n```sh\n# no heading\n```\n"
        "## `GET` /api/v1/traces/{trace_id}\n## [A](b.md) -- c\n## A\n## A\n"
    )
    assert page.anchors() == {
        "what-a-span-costs-and-who-pays",
        "get-apiv1tracestrace_id",
        "a----c",
        "a",
        "a-1",
    }


def reached_from(pages: set[Page]) -> set[Page]:
    """Return the pages that these link to; a link to a folder shows its files."""
    targets = {link.target for page in pages for link in page.links()}
    return {page for page in DOCS if page.path in targets or page.path.parent in targets}


def test_every_page_is_two_clicks_from_the_readme() -> None:
    once = reached_from({README})
    assert set(DOCS) - once - reached_from(once) == set()


def test_the_pages_lead_on_in_the_order_of_the_readmes_list() -> None:
    pages = reading_order()
    assert len(pages) >= 9
    for page, following in itertools.pairwise(pages):
        last = page.text.rstrip().splitlines()[-1]
        assert re.match(rf"Next: \[[^\]]+\]\({following.path.name}\)", last), f"{page} does not lead to {following}"


def test_the_readme_is_read_in_a_minute() -> None:
    before_the_settings = README.text.partition("## Settings")[0]
    assert len(before_the_settings.splitlines()) <= 120
