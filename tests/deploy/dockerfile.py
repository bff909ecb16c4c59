"""Reads the Dockerfile and .dockerignore: what is done, with which files, and how the image is then run."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CONTINUED = re.compile(r"\\\n")
FLAG = re.compile(r"--([a-z]+)=(\S+)\s+")


@dataclass(frozen=True)
class Instruction:
    """One instruction, e.g. `COPY --from=build /venv /venv`: its name, its flags, and what follows them."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The arguments of the exec form, or of the shell form split at spaces."""
        return list(map(str, json.loads(self.text))) if self.text.startswith("[") else self.text.split()


@dataclass
class Stage:
    """What follows one FROM: its base, the name that later stages have for it, and its instructions."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, name: str) -> Instruction:
        """Return the instruction of that name that counts. Raises StopIteration where there is none."""
        return next(instruction for instruction in reversed(self.instructions) if instruction.name == name)

    @property
    def environment(self) -> dict[str, str]:
        """What ENV sets, as it is written."""
        return dict(
            word.split("=", 1)
            for instruction in self.instructions
            if instruction.name == "ENV"
            for word in instruction.words
        )


def stages(text: str) -> list[Stage]:
    """Return the stages of a Dockerfile, in order."""
    found: list[Stage] = []
    for instruction in _instructions(text):
        if instruction.name == "FROM":
            base, *name = re.split(r"\s+AS\s+", instruction.text)
            found.append(Stage(base, name[0] if name else ""))
        else:
            found[-1].instructions.append(instruction)
    return found


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in CONTINUED.sub("", "\n".join(lines)).splitlines():
        if not line.strip():
            continue
        name, rest = line.split(maxsplit=1)
        flags: dict[str, str] = {}
        while match := FLAG.match(rest):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        yield Instruction(name, flags, rest.strip())


class Ignored:
    """What .dockerignore keeps out of the build: the last pattern that matches a path, or a folder of it, counts."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        self._rules = [(_pattern(line.removeprefix("!")), not line.startswith("!")) for line in lines]

    def __contains__(self, path: Path) -> bool:
        names = [path.as_posix(), *(parent.as_posix() for parent in path.parents[:-1])]
        ignored = False
        for pattern, verdict in self._rules:
            if any(pattern.fullmatch(name) for name in names):
                ignored = verdict
        return ignored


def _pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*)", glob)
    return re.compile("".join({"**/": "(?:.*/)?", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts))


def context(root: Path, ignored: Ignored) -> Iterator[Path]:
    """Yield the files, relative to `root`, that a build is given."""
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and relative.parts[0] not in {".git", ".venv"} and relative not in ignored:
            yield relative
