"""A third party's module: the package of docs/extending-databases.md, built, installed, served, and held to the kit."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import pytest

from tests.support.server_process import answers, free_port
from tests.support.waiting import eventually

EXTENDING = (Path(__file__).resolve().parents[2] / "docs" / "extending-databases.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's source, as the page says."""
    folder = tmp_path_factory.mktemp("lapel-wiping")
    files = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", EXTENDING, re.DOTALL)
    assert len(files) == 4
    for name, text in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def environment(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One in which the package is installed, as a wheel, beside Lapel."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"]
    subprocess.run(build, cwd=package, check=True, capture_output=True)
    (wheel,) = (package / "dist").glob("*.whl")
    installed = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(installed)
    own = ("LAPEL_", "DB_", "SQLITE_", "DATABASE_", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**kept, "PYTHONPATH": str(installed), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_its_commands_lead_to_a_server_with_a_master_key_beside_the_data(
    environment: dict[str, str], tmp_path: Path
) -> None:
    found = re.search(r"<!-- commands -->\n```bash\n(.*?)```", EXTENDING, re.DOTALL)
    assert found
    port = free_port()
    log = tmp_path / "log"
    with log.open("wb") as output:
        serving = subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail\n{found[1].replace('lapel serve', 'exec lapel serve')}"],
            cwd=tmp_path,
            env={**environment, "LAPEL_PORT": str(port)},
            stdout=output,
            stderr=output,
        )

    try:
        assert eventually(lambda: serving.poll() is not None or answers(port), within=60), log.read_text()
        assert serving.poll() is None, log.read_text()
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(60)
    assert "wiping" in log.read_text(), "`lapel db status` names the module"
    assert "The database is as it should be." in log.read_text()
    assert (tmp_path / "data" / "wiped.sqlite.master-key").stat().st_mode & 0o777 == 0o600


def pytest_in(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_it_passes_the_whole_kit(package: Path, environment: dict[str, str]) -> None:
    collected = pytest_in(package, environment, "--collect-only", "tests")

    run = pytest_in(package, environment, "tests")

    assert run.returncode == 0, run.stdout
    (total,) = re.findall(r"^(\d+) tests collected", collected.stdout, re.MULTILINE)
    assert int(total) > 100
    assert re.search(rf"^{total} passed", run.stdout, re.MULTILINE), run.stdout
    assert "warning" not in (run.stdout + run.stderr).lower()


def test_the_kit_without_a_database_says_what_is_missing(
    package: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "test_conformance.py").write_text((package / "tests" / "test_conformance.py").read_text())
    options = ["-p", "lapel.database.conformance.plugin", "-o", "asyncio_mode=auto"]

    run = pytest_in(tmp_path, environment, *options, "-k", "test_text_of_every_plane", ".")

    assert run.returncode != 0
    assert "Define a fixture `database_settings`" in run.stdout


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
