"""The project's own source files, parsed, for the tests that hold the project to its rules."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

__all__ = ["REPOSITORY", "SourceFile", "expect_none", "source_files"]

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One Python file.

    Attributes:
        path: from the repository's root, with slashes: ``src/lapel/errors.py``.
        module: as it is imported: ``lapel.errors``; a package is named without ``__init__``.
        text: what it says.
    """

    path: str
    module: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """What it says, parsed when it is first asked for: not where tests are only collected."""
        return _parsed(self.path, self.text)

    @property
    def is_package(self) -> bool:
        return self.path.endswith("/__init__.py")

    def imports(self) -> Iterator[tuple[int, str]]:
        """Every module that is imported anywhere in the file, absolute, with the line.

        ``from a import b`` gives ``a.b``: whether ``b`` is a module or a name makes no difference to a rule
        about ``a``.
        """
        package = self.module if self.is_package else self.module.rpartition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, name.name) for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*parents, base] if base else parents)
                yield from ((node.lineno, f"{base}.{name.name}") for name in node.names)


@cache
def _parsed(path: str, text: str) -> ast.Module:
    return ast.parse(text, filename=path)


def expect_none(wrong: Iterable[str]) -> None:
    """Fail with every line of ``wrong``, if there is one."""
    if lines := list(wrong):
        pytest.fail("\n".join(lines), pytrace=False)


@cache
def source_files(folder: str) -> tuple[SourceFile, ...]:
    """Every Python file under ``folder`` (``src``, ``tests``, ``benchmarks``, ``examples``), by path."""
    files = []
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        relative = path.relative_to(REPOSITORY)
        parts = relative.with_suffix("").parts
        parts = parts[1:] if parts[0] == "src" else parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        files.append(SourceFile(relative.as_posix(), ".".join(parts), text))
    return tuple(files)
