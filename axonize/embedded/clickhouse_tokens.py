"""Deduplication tokens of inserts that never came about: forgotten before ClickHouse opens its data directory.

A MergeTree table writes the token of an insert into its deduplication log, and only then renames the finished part into
place (ClickHouse 26.9, `MergeTreeSink::finishDelayedChunk`). Killed between the two, it would take the insert for done
ever after, and its rows, sent again under the same token, would be lost without a word. So before each start every
token whose part is not there gets a record of its part's removal, in ClickHouse's own form.
"""

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

LOGS = "deduplication_logs"
ADDED, DROPPED = "1", "2"
# deduplication_log_NUMBER.txt; of records: operation, part, token, with tabs between
_LOG_NAME = re.compile(r"deduplication_log_(\d+)\.txt")
# PARTITION_FIRSTBLOCK_LASTBLOCK_LEVEL, and _MUTATION where there was one
_PART_NAME = re.compile(r"([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?")


class _Part(NamedTuple):
    partition: str
    first_block: int
    last_block: int


class _Parts:
    """The parts of a table, asked for one of them or for what it was merged into."""

    def __init__(self, parts: Iterable[_Part]) -> None:
        self._firsts: defaultdict[str, list[int]] = defaultdict(list)
        self._lasts: defaultdict[str, list[int]] = defaultdict(list)
        for part in sorted(parts):
            before = self._lasts[part.partition][-1:]
            self._firsts[part.partition].append(part.first_block)
            self._lasts[part.partition].append(max([part.last_block, *before]))

    def hold(self, part: _Part) -> bool:
        begun_before = bisect_right(self._firsts[part.partition], part.first_block)
        return begun_before > 0 and self._lasts[part.partition][begun_before - 1] >= part.last_block


def forget_unfinished(clickhouse_dir: Path) -> int:
    """Forget the tokens that belong to no part, in every table of a data directory that no engine has open.

    A record that a full disk cut short is cut off too, for ClickHouse would read nothing that follows it.

    Returns:
        How many tokens were forgotten.

    Raises:
        OSError: a log can't be mended, as when the disk is full.

    """
    return sum(_mend(logs) for logs in sorted(clickhouse_dir.glob(f"store/*/*/{LOGS}")))


def _mend(logs: Path) -> int:
    paths = sorted((path for path in logs.iterdir() if _LOG_NAME.fullmatch(path.name)), key=_number)
    added: dict[str, str] = {}
    for path in paths:
        for operation, name, token in _records(path):
            if operation == ADDED:
                added[token] = name
            else:
                added.pop(token, None)
    parts = _Parts(part for path in logs.parent.iterdir() if (part := _part(path.name)) and path.is_dir())
    unfinished = [(name, token) for token, name in added.items() if (part := _part(name)) and not parts.hold(part)]
    if unfinished:
        with paths[-1].open("a") as log:
            log.writelines(f"{DROPPED}\t{name}\t{token}\n" for name, token in unfinished)
    return len(unfinished)


def _records(path: Path) -> Iterator[tuple[str, str, str]]:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as log:
            log.truncate(whole)
    for line in content[:whole].decode().splitlines():
        operation, part, token = line.split("\t")
        yield operation, part, token


def _part(name: str) -> _Part | None:
    match = _PART_NAME.fullmatch(name)
    return _Part(match[1], int(match[2]), int(match[3])) if match else None


def _number(path: Path) -> int:
    match = _LOG_NAME.fullmatch(path.name)
    return int(match[1]) if match else 0
