"""Third parties' modules, built, installed, served, and held to the kit.

They are the package of docs/extending-databases.md, and the one in examples/.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import pytest

from tests.support.server_process import answers, free_port
from tests.support.source_tree import REPOSITORY, expect_none
from tests.support.waiting import eventually

EXTENDING = (REPOSITORY / "docs" / "extending-databases.md").read_text(encoding="utf-8")
ENCRYPTED = REPOSITORY / "examples" / "lapel-sqlite-encrypted"
MOST_LINES_OF_THE_EXAMPLE = 300
# All of it for the one that brings more; that the other one is held to it, too, a part shows.
KIT = [("sqlite-encrypted", "test", 290), ("wiping", "TestTransaction or TestError", 20)]


@dataclass(frozen=True)
class Package:
    """A package that is installed, as a wheel, beside Lapel.

    Attributes:
        folder: its source.
        page: says which commands lead to a server.
        name: what ``DB_TYPE`` calls its module.
        environment: the one in which it is installed.
    """

    folder: Path
    page: str
    name: str
    environment: dict[str, str]

    def commands(self, marked: str = "commands") -> str:
        found = re.search(rf"<!-- {marked} -->\n```bash\n(.*?)```", self.page, re.DOTALL)
        assert found
        return f"set -euo pipefail\n{found[1]}"


@pytest.fixture(scope="module", params=["wiping", "sqlite-encrypted"])
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Package:
    name: str = request.param
    folder, installed = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    if name == "wiping":
        files = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", EXTENDING, re.DOTALL)
        assert len(files) == 4
        for file, text in files:
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    else:
        shutil.copytree(ENCRYPTED, folder, dirs_exist_ok=True)
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(installed)
    put_commands(installed)
    own = ("LAPEL_", "DB_", "SQLITE_", "DATABASE_", "PYTEST_")
    kept = {variable: value for variable, value in os.environ.items() if not variable.startswith(own)}
    path = f"{installed / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    page = EXTENDING if name == "wiping" else (ENCRYPTED / "README.md").read_text(encoding="utf-8")
    return Package(folder, page, name, {**kept, "PYTHONPATH": str(installed), "PATH": path})


def put_commands(installed: Path) -> None:
    """The package's own commands, as an installer makes them."""
    (installed / "bin").mkdir()
    (about,) = installed.glob("*.dist-info")
    for command in PathDistribution(about).entry_points.select(group="console_scripts"):
        script = installed / "bin" / command.name
        script.write_text(f"#!{sys.executable}\nfrom {command.module} import {command.attr}\n{command.attr}()\n")
        script.chmod(0o755)


def test_its_commands_lead_to_a_server_with_a_master_key_beside_the_data(package: Package, tmp_path: Path) -> None:
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        serving = subprocess.Popen(
            ["bash", "-c", package.commands().replace("lapel serve", "exec lapel serve")],
            cwd=tmp_path,
            env={**package.environment, "LAPEL_PORT": str(port)},
            stdout=output,
            stderr=output,
        )

    try:
        assert eventually(lambda: serving.poll() is not None or answers(port), within=300), log.read_text()
        assert serving.poll() is None, log.read_text()
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(60)
    said = log.read_text()
    assert package.name in said, "`lapel db status` names the module"
    assert "The database is sound." in said
    assert "is not a setting" not in said
    (master_key,) = (tmp_path / "data").glob("*.sqlite.master-key")
    assert master_key.stat().st_mode & 0o777 == 0o600
    if package.name == "sqlite-encrypted":
        stays_closed_but_for_its_key(package, tmp_path, said)


def stays_closed_but_for_its_key(package: Package, folder: Path, said: str) -> None:
    """What the README says of the key, done to what its commands have made in `folder`."""
    key, file = (folder / "data" / "sqlite.key").read_text().strip(), folder / "data" / "lapel.sqlite"
    assert key not in said

    def run(commands: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-c", commands]
        return subprocess.run(command, cwd=folder, env=package.environment, capture_output=True, text=True)

    before = file.read_bytes()
    settings = "export DB_TYPE=sqlite-encrypted SQLITE_FILE=data/lapel.sqlite"
    refused = run(f"{settings} SQLITE_KEY={'0' * 64}; lapel db status")
    assert refused.returncode != 0
    assert "under another key" in refused.stdout + refused.stderr
    assert "Traceback" not in refused.stderr
    assert file.read_bytes() == before
    done = run(f"{settings} SQLITE_KEY_FILE=data/sqlite.key; {package.commands('another key')}lapel db status")
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() != before
    assert key not in done.stdout + done.stderr


def pytest_in(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Without the plug-ins that the extra `conformance` does not bring, which take seconds to load."""
    others = [f"-pno:{plugin}" for plugin in ("anyio", "cacheprovider", "hypothesispytest", "schemathesis", "xdist")]
    command = [sys.executable, "-m", "pytest", "-q", *others, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(("package", "part", "at_least"), KIT, indirect=["package"])
def test_it_passes_the_kit(package: Package, part: str, at_least: int, tmp_path: Path) -> None:
    files = f"--basetemp={tmp_path / 'files'}", "--override-ini=tmp_path_retention_policy=failed"

    run = pytest_in(package.folder, package.environment, *files, "-k", part, "tests")

    assert run.returncode == 0, run.stdout
    passed = re.search(r"^(\d+) passed(?:, \d+ deselected)? in ", run.stdout, re.MULTILINE)  # and nothing else
    assert passed, run.stdout
    assert int(passed[1]) >= at_least
    assert "warning" not in (run.stdout + run.stderr).lower()


def test_the_kit_without_a_database_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "test_conformance.py").write_text("from lapel.database.conformance.suite import *\n")
    options = ["-p", "lapel.database.conformance.plugin", "-o", "asyncio_mode=auto"]

    run = pytest_in(tmp_path, dict(os.environ), *options, "-k", "test_text_of_every_plane", ".")

    assert run.returncode != 0
    assert "Define a fixture `database_settings`" in run.stdout


def public_modules() -> set[str]:
    """What the page says that others may build on: each module of its tables, and those of which it lists names."""
    listed: set[str] = set()
    beside = ""
    for row in re.findall(r"^\| (`lapel\..*?) \|", EXTENDING, re.MULTILINE):
        for name in re.findall(r"`(?:lapel)?(\.[\w.]+)`", row):
            whole = f"{'lapel' if name.startswith('.database') else beside}{name}"
            beside = whole.rpartition(".")[0]
            listed.add(whole if isinstance(resolve_name(whole), ModuleType) else beside)
    return listed


def imported(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Every name of Lapel's that Python files there import: (file and line, module, name)."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((f"{path.name}:{node.lineno}", name.name, "") for name in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from ((f"{path.name}:{node.lineno}", str(node.module), name.name) for name in node.names)


def test_the_example_stands_on_what_is_public_alone_and_is_short() -> None:
    public = public_modules()
    sources = [path.read_text(encoding="utf-8") for path in (ENCRYPTED / "src").rglob("*.py")]

    ours = [found for found in imported(ENCRYPTED / "src") if found[1].partition(".")[0] == "lapel"]

    assert len(ours) > 5
    expect_none(
        f"{where}: {module}.{name} is not public"
        for where, module, name in ours
        if module not in public or name not in resolve_name(module).__all__
    )
    assert not re.search(r"type: ignore|setattr|\b(?!self\b|target\b)\w+\._[a-z]", "".join(sources))
    assert sum(source.count("\n") for source in sources) <= MOST_LINES_OF_THE_EXAMPLE


def test_every_name_that_the_page_lists_is_public_and_can_be_imported() -> None:
    listed = re.findall(r"`(lapel\.database(?:\.\w+)+)`", EXTENDING)
    assert len(listed) > 15

    for name in listed:
        if not isinstance(resolve_name(name), ModuleType):
            module, _, own = name.rpartition(".")
            assert own in resolve_name(module).__all__, name


def test_a_server_does_not_load_pytest() -> None:
    look = "import sys; import lapel.bootstrap, lapel.database.sqlite.module, lapel.database.postgresql.module;"

    shown = subprocess.run(
        [sys.executable, "-c", f"{look} print('pytest' in sys.modules)"], capture_output=True, text=True, check=True
    )

    assert shown.stdout == "False\n"
