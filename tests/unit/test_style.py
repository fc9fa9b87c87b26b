"""The project's rules that no linter knows. Each was chosen because breaking it has cost somebody dearly."""

from __future__ import annotations

import ast
import importlib
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

import pytest

from lapel.errors import LapelError
from tests.support.source_tree import REPOSITORY, SourceFile, expect_none, source_files

MOST_LINES = 400
MOST_LINES_OF_THE_DATABASE_LAYER = 5_204
SHAPELESS_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
PRODUCTS = {"sqlite", "postgres", "postgresql"}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

SOURCES = source_files("src")
EVERYTHING = (*SOURCES, *source_files("tests"), *source_files("benchmarks"), *source_files("examples"))

Complaints = Iterable[tuple[int, str]]


def complaints(files: Iterable[SourceFile], rule: Callable[[SourceFile], Complaints]) -> list[str]:
    return [f"{file.path}:{line}: {what}" for file in files for line, what in rule(file)]


def parse(source: str) -> SourceFile:
    return SourceFile("src/lapel/domain/example.py", "lapel.domain.example", source)


def within(*packages: str) -> list[SourceFile]:
    return [file for file in SOURCES if any(f"{file.module}.".startswith(f"{package}.") for package in packages)]


def test_no_file_is_too_long_to_hold_in_the_head() -> None:
    lengths = {file.path: file.text.count("\n") for file in EVERYTHING}
    expect_none(f"{path} has {lines} lines" for path, lines in lengths.items() if lines > MOST_LINES)


def lines_of_code(file: SourceFile) -> int:
    """Those with code in them: neither blank, nor only a comment, nor in a docstring."""
    layout = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    with_code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type not in layout:
            with_code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            with_code.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(with_code)


def test_the_database_layer_is_small_enough_to_be_known_by_heart() -> None:
    # Whoever brings another database, or looks for lost data at night, has to understand all of it. What grows makes
    # room first: by finding what is said twice, not by leaving out what explains it.
    apart = within("lapel.database.conformance", "lapel.database.migrations.versions")
    layer = [file for file in within("lapel.database") if file not in apart]

    assert sum(map(lines_of_code, layer)) <= MOST_LINES_OF_THE_DATABASE_LAYER


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('"""About.\n\nMore.\n"""\n\nx = 1  # why\n# and why\n', 1),
        ('def f() -> None:\n    """About."""\n\n    return g(\n        1,\n    )\n', 4),
        ('x = """one\n\nthree"""\n', 3),
    ],
)
def test_only_lines_of_code_count(source: str, lines: int) -> None:
    assert lines_of_code(parse(source)) == lines


def test_every_file_is_named_after_what_it_is_about() -> None:
    names = {file.path: set(PurePosixPath(file.path).with_suffix("").parts) for file in EVERYTHING}
    expect_none(path for path, parts in names.items() if SHAPELESS_NAMES & parts)


def missing_beginnings(file: SourceFile) -> Complaints:
    if not file.tree.body:
        return
    if not ast.get_docstring(file.tree):
        yield 1, "a module says in a docstring what it is for"
    defines = any(isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.AnnAssign)) for node in ast.walk(file.tree))
    futures = {name for _, name in file.imports() if name.startswith("__future__.")}
    if defines and "__future__.annotations" not in futures:
        yield 1, "a module with annotations begins with `from __future__ import annotations`"


def test_every_module_begins_alike() -> None:
    expect_none(complaints(EVERYTHING, missing_beginnings))


def missing_exports(file: SourceFile) -> Complaints:
    bound = {name for node in file.tree.body for name in _names_bound_by(node)}
    defined = [node.name for node in file.tree.body if isinstance(node, (*FUNCTIONS, ast.ClassDef))]
    if "__all__" not in bound and any(not name.startswith("_") for name in defined):
        yield 1, "`__all__` says what of this module is for others"


def _names_bound_by(node: ast.stmt) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_every_module_says_what_it_exports() -> None:
    # Alembic reads the revisions of a schema by names of its own.
    revisions = "src/lapel/database/migrations/versions/"
    expect_none(complaints((file for file in SOURCES if not file.path.startswith(revisions)), missing_exports))


def test_a_module_exports_what_others_import() -> None:
    modules = {file.module for file in SOURCES}
    expect_none(
        f"{file.path}:{line}: {module} does not export {name}"
        for file in SOURCES
        for line, imported in file.imports()
        for module, _, name in [imported.rpartition(".")]
        if module in modules - {"lapel"} and imported not in modules
        if name not in importlib.import_module(module).__all__
    )


def any_in_public(file: SourceFile) -> Complaints:
    yield from _any_in_public(file.tree.body)


def _any_in_public(body: list[ast.stmt]) -> Complaints:
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and re.match(r"_(?!_)", node.name):
            continue
        if isinstance(node, ast.ClassDef):
            yield from _any_in_public(node.body)
        elif isinstance(node, FUNCTIONS):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            annotations = [argument.annotation for argument in every if argument] + [node.returns]
            if any(_says_any(annotation) for annotation in annotations):
                yield node.lineno, f"`Any` in the signature of {node.name}"
        elif isinstance(node, ast.AnnAssign) and _says_any(node.annotation):
            name = ast.unparse(node.target)
            if not name.startswith("_"):
                yield node.lineno, f"`Any` in the type of {name}"


def _says_any(annotation: ast.expr | None) -> bool:
    if annotation is None:
        return False
    for node in ast.walk(annotation):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"\bAny\b", node.value):
            return True
        if "Any" in (getattr(node, "id", None), getattr(node, "attr", None)):
            return True
    return False


def test_no_public_signature_says_any() -> None:
    expect_none(complaints(SOURCES, any_in_public))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(x: Any) -> None: ...", 1),
        ("def f(*x: Any, **y: int) -> None: ...", 1),
        ("async def f() -> dict[str, 'Any']: ...", 1),
        ("class C:\n    x: typing.Any\n    def __init__(self, x: list[Any]) -> None: ...", 2),
        ("def _f(x: Any) -> None: ...", 0),
        ("class _C:\n    x: Any", 0),
        ("def f(x: object) -> AnyStr: ...", 0),
    ],
)
def test_any_is_seen_wherever_it_is_public(source: str, expected: int) -> None:
    assert len(list(any_in_public(parse(source)))) == expected


def silent_exceptions(file: SourceFile) -> Complaints:
    for number, line in enumerate(file.text.split("\n"), 1):
        for found in re.finditer(r"#\s*(noqa|type:\s*ignore)(.*)", line):
            named = re.match(r":\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*|\[[\w,\s-]+\]", found[2])
            if named is None:
                yield number, "an exception to a check names the check"
            elif len(found[2][named.end() :].strip(" -#:")) < 5:
                yield number, "an exception to a check says why"


def test_every_exception_to_a_check_says_why() -> None:
    expect_none(complaints(SOURCES, silent_exceptions))


@pytest.mark.parametrize(
    ("comment", "allowed"),
    [
        ("# noqa", False),
        ("# noqa: S608", False),
        ("# noqa: S608 - the name is one of ours", True),
        ("# noqa: S608, S105 - the name is one of ours", True),
        ("# type: ignore", False),
        ("# type: ignore[arg-type]", False),
        ("# type: ignore[arg-type]  # the stubs lag behind", True),
    ],
)
def test_an_exception_without_a_reason_is_seen(comment: str, allowed: bool) -> None:
    assert (not list(silent_exceptions(parse(f"x = 1  {comment}\n")))) == allowed


def names_of_products(file: SourceFile) -> Complaints:
    for node in ast.walk(file.tree):
        compared: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            compared = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            compared = [node.value]
        for part in compared:
            for value in ast.walk(part):
                if isinstance(value, ast.Constant) and value.value in PRODUCTS:
                    yield value.lineno, "ask for the capability, not for the name of the database"


def test_no_code_asks_for_the_name_of_a_database() -> None:
    named = within("lapel.database.sqlite", "lapel.database.postgresql", "lapel.config")
    expect_none(complaints((file for file in SOURCES if file not in named), names_of_products))


@pytest.mark.parametrize(
    "source",
    ["if name == 'sqlite': pass", "x = kind in ('postgresql', 'other')", "match kind:\n    case 'sqlite': pass"],
)
def test_asking_for_a_name_is_seen(source: str) -> None:
    assert list(names_of_products(parse(source)))


def calls_of(*names: str) -> Callable[[SourceFile], Complaints]:
    """A rule against calls whose text ends with one of ``names``: ``time.time``, ``.commit``."""

    endings = tuple(f".{name}" for name in names)

    def rule(file: SourceFile) -> Complaints:
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Call) and f".{ast.unparse(node.func)}".endswith(endings):
                yield node.lineno, f"calls {ast.unparse(node.func)}"

    return rule


def test_a_repository_never_ends_its_transaction() -> None:
    expect_none(complaints(within("lapel.database.repositories"), calls_of("commit", "rollback")))


def test_rules_are_given_the_time() -> None:
    clocks = calls_of("datetime.now", "datetime.utcnow", "date.today", "time.time", "time.time_ns")
    rules = within("lapel.domain", "lapel.services", "lapel.openbadges", "lapel.credentials")
    # Here the machine's clock is the default that a caller may replace.
    sources = within("lapel.domain.clock", "lapel.domain.identifiers")

    expect_none(complaints((file for file in rules if file not in sources), clocks))


def test_no_test_sleeps() -> None:
    tests = [file for file in source_files("tests") if file.module.rpartition(".")[2].startswith("test_")]

    expect_none(complaints(tests, calls_of("time.sleep")))


def test_every_document_that_the_code_names_is_there() -> None:
    expect_none(
        f"{file.path}:{number}: there is no {name}"
        for file in SOURCES
        for number, line in enumerate(file.text.splitlines(), 1)
        for name in re.findall(r"\bdocs/[\w-]+\.md\b", line)
        if not (REPOSITORY / name).is_file()
    )


def test_every_service_is_in_the_table_of_the_architecture() -> None:
    text = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
    table = text.partition("## The services\n")[2].partition("\n## ")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`([\w/]+\.py)`", row)}
    services = REPOSITORY / "src/lapel/services"
    there = {path.relative_to(services) for path in services.rglob("[!_]*.py")}
    assert named == {path.as_posix() for path in there if path.parts[0] != "verifying"}


def test_every_promise_of_the_database_layer_names_code_and_tests_that_are_there() -> None:
    text = (REPOSITORY / "docs/database-layer.md").read_text(encoding="utf-8")
    rows = [row for row in text.partition("## What the layer promises\n")[2].splitlines() if row.startswith("| ")]
    folders = (REPOSITORY / "src/lapel/database", REPOSITORY / "tests")
    named = [
        (folder, name)
        for row in rows
        for folder, cell in zip(folders, row.split("|")[2:4], strict=True)
        for name in re.findall(r"`([\w./*-]*[./][\w./*-]*)`", cell)
    ]
    assert len(named) > 100
    expect_none(f"there is no {name} in {folder}" for folder, name in named if not [*folder.glob(name.rstrip("/"))])


def every_error() -> list[type[LapelError]]:
    for file in SOURCES:
        if file.module.endswith(("__main__", ".migrations.env")):
            continue  # importing these runs them
        importlib.import_module(file.module)
    found: list[type[LapelError]] = []
    waiting: list[type[LapelError]] = [LapelError]
    while waiting:
        error = waiting.pop()
        if error.__module__.startswith("lapel.") and error not in found:
            found.append(error)
            waiting.extend(error.__subclasses__())
    return found


def test_every_error_has_a_sentence_and_a_stable_code() -> None:
    wrong = []
    for error in every_error():
        sentence = (error.__dict__.get("__doc__") or "").strip().partition("\n")[0]
        if not sentence.endswith((".", "!", "?")):
            wrong.append(f"{error.__module__}.{error.__name__}: its docstring does not begin with a sentence")
        if not re.fullmatch(r"[a-z][a-z0-9_]*", error.code):
            wrong.append(f"{error.__module__}.{error.__name__}: the code {error.code!r} is not in lower_case")

    expect_none(wrong)


def test_no_two_kinds_of_error_claim_one_code() -> None:
    claims = defaultdict(set)
    for error in every_error():
        # A class that keeps the code of a class it extends is the same kind of error.
        inherited = {getattr(base, "code", None) for base in error.__bases__}
        if "code" in error.__dict__ and error.code not in inherited:
            claims[error.code].add(f"{error.__module__}.{error.__name__}")

    expect_none(f"{code}: {', '.join(sorted(names))}" for code, names in claims.items() if len(names) > 1)
