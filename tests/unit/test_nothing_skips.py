"""With CI set, a skipped test fails the run; without it, it is skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.postgres_server import REPOSITORY

CASES = {
    "a call": """
import pytest
def test_it():
    pytest.skip("no browser")
""",
    "a mark": """
import pytest
@pytest.mark.skipif(True, reason="no browser")
def test_it():
    pass
""",
    "a fixture": """
import pytest
@pytest.fixture
def browser():
    pytest.skip("no browser")
def test_it(browser):
    pass
""",
    "a module": """
import pytest
pytest.importorskip("no_such_module", reason="no browser")
def test_it():
    pass
""",
}


def run(folder: Path, source: str, *options: str, ci: bool) -> subprocess.CompletedProcess[str]:
    folder.joinpath("test_it.py").write_text(source)
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    environment |= {"PYTHONPATH": str(REPOSITORY), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | (
        {"CI": "true"} if ci else {}
    )
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.nothing_skips", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *options, "-ra", "test_it.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("case", CASES)
def test_a_skip_fails_in_ci_and_says_what_was_missing(tmp_path: Path, case: str) -> None:
    result = run(tmp_path, CASES[case], ci=True)

    assert result.returncode not in (0, 5)
    assert "nothing may be skipped in CI" in result.stdout
    assert "no browser" in result.stdout


@pytest.mark.parametrize("case", ["a fixture", "a module"])  # while it runs, and while it is collected
def test_a_skip_in_a_worker_fails_too(tmp_path: Path, case: str) -> None:
    result = run(tmp_path, CASES[case], "-p", "xdist", "--numprocesses=1", ci=True)

    assert result.returncode not in (0, 5)
    assert "nothing may be skipped in CI" in result.stdout


@pytest.mark.parametrize("case", CASES)
def test_a_skip_is_a_skip_elsewhere(tmp_path: Path, case: str) -> None:
    result = run(tmp_path, CASES[case], ci=False)

    assert "1 skipped" in result.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    source = "import pytest\n@pytest.mark.xfail(reason='known')\ndef test_it(): assert False"

    assert run(tmp_path, source, ci=True).returncode == 0
