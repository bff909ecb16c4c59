"""docs/configuration.md, the other docs and the code know the same settings, with the same types and defaults."""

import re
from pathlib import Path

import pytest

from axonize.environment import DOCUMENTED
from axonize.setting import Setting
from tests.processes import ROOT
from tests.settings_file import environment

PAGE = (ROOT / DOCUMENTED).read_text()
PAGES = [path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.name != "CHANGELOG.md"]
SOURCES = [ROOT / "manage.py", ROOT / "gunicorn.conf.py"] + [
    path for folder in ("axonize", "ingest", "registry", "analytics") for path in (ROOT / folder).rglob("*.py")
]
OURS, OTHERS = PAGE.split("\n## Variables that others read\n")
RECORDED = environment().recorded
VARIABLES = environment().variables
OF_OTHERS = set(re.findall(r"`([A-Z_]+)`", OTHERS))
ROW = re.compile(r"^\| `([A-Z_]+)`.*\|$", re.MULTILINE)


def row_of(setting: Setting) -> str:
    """Return the row of a setting up to its meaning, which people write."""
    names = ", ".join(f"`{variable}`" for variable in setting.variables)
    return (
        f"| {names} | {setting.type}{', **secret**' if setting.secret else ''} | {setting.default} | {setting.unit} |"
    )


@pytest.mark.parametrize("setting", RECORDED.values(), ids=RECORDED)
def test_each_setting_of_the_code_has_one_row_that_says_what_the_code_does(setting: Setting) -> None:
    rows = [found[0] for found in ROW.finditer(OURS) if found[1] == setting.name]
    wanted = row_of(setting)
    assert len(rows) == 1, f"{DOCUMENTED} needs one row for it, in the table of its theme:\n{wanted} MEANING |"
    assert rows[0].startswith(wanted), f"its row in {DOCUMENTED} has to begin with:\n{wanted}"
    meaning = rows[0].removeprefix(wanted).strip(" |")
    assert meaning, "its row says what it means"


def test_each_row_is_of_a_setting_of_the_code() -> None:
    assert [found[1] for found in ROW.finditer(OURS) if found[1] not in RECORDED] == []


def test_each_system_check_of_ours_has_a_row() -> None:
    known = set(re.findall(r'id="(axonize\.[EW]\d+)"', (ROOT / "axonize" / "checks.py").read_text()))
    assert len(known) > 1, "the pattern finds what it looks for"
    assert set(re.findall(r"^\| `(axonize\.\w+)` \|", OURS, re.MULTILINE)) == known


def settings_named_by(text: str) -> set[str]:
    """Return what looks like a setting of ours; a name that ends with an underscore stands for several."""
    families = r"(?:AXONIZE|DATABASE|REDIS|CLICKHOUSE)"
    return set(re.findall(rf"\b({families}_[A-Z_]*[A-Z]|SECRET_KEY\w*|ALLOWED_HOSTS)\b(?!\()", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_setting_that_does_not_exist(page: Path) -> None:
    assert settings_named_by(page.read_text()) - VARIABLES - OF_OTHERS == set()


@pytest.mark.parametrize("file", ["docker-compose.yml", "Makefile", ".ci/run", "gunicorn.conf.py"])
def test_no_file_of_the_project_sets_one_that_does_not_exist(file: str) -> None:
    named = {name for name in settings_named_by((ROOT / file).read_text()) if name.startswith("AXONIZE_")}
    assert named - VARIABLES == set()


def test_every_other_variable_that_the_code_reads_or_sets_is_named() -> None:
    read = re.compile(r"""(?:os\.environ(?:\.get|\.setdefault|\.pop)?|getenv)\s*[\[(]\s*["']([A-Z_]+)["']""")
    names = {name for source in SOURCES for name in read.findall(source.read_text())}
    assert "DJANGO_SETTINGS_MODULE" in names, "the pattern finds what it looks for"
    assert names - VARIABLES - OF_OTHERS == set()
