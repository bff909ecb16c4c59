"""The docs and the project say the same."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["base", "embedded", "dev"])
def test_a_lock_file_names_versions_and_hashes_only(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    allowed = re.compile(r"^([a-z0-9_.\-]+==\S+ (; .+ )?\\|    --hash=sha256:[0-9a-f]{64}( \\)?|\s*#.*|)$")
    assert [line for line in lines if not allowed.match(line)] == []
