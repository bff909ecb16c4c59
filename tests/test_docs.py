"""The docs and the project say the same."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def settings_of_the_environment() -> set[str]:
    return set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "axonize" / "settings.py").read_text()))


def test_each_setting_is_in_the_readme_and_the_reverse() -> None:
    table = "\n".join(line.split("|")[1] for line in README.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`([A-Z_]{4,})`", table)) == settings_of_the_environment()


@pytest.mark.parametrize("name", ["base", "embedded", "dev"])
def test_a_lock_file_names_versions_and_hashes_only(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    allowed = re.compile(r"^([a-z0-9_.\-]+==\S+ (; .+ )?\\|    --hash=sha256:[0-9a-f]{64}( \\)?|\s*#.*|)$")
    assert [line for line in lines if not allowed.match(line)] == []
