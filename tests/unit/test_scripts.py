"""The scripts that a fresh clone begins with: they find what they need, or say in a sentence what to install."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.source_tree import REPOSITORY

SCRIPTS = ("serve", "test", "test-long", "check")


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder to be the whole PATH, with the system's small tools and neither uv nor Python."""
    for tool in ("bash", "basename", "dirname", "cat", "cmp", "cp", "rm", "uname"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    return tmp_path


def run(call: str, path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash is not None
    command = [bash, "-c", f". scripts/environment; {call}", "scripts/serve"]
    environment = {"PATH": str(path), **variables}
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def fake_python(path: Path, name: str, body: str) -> None:
    path.joinpath(name).write_text(f"#!/bin/sh\n{body}\n")
    path.joinpath(name).chmod(0o755)


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_script_can_be_run_and_is_sound(script: str) -> None:
    file = REPOSITORY / "scripts" / script

    assert os.access(file, os.X_OK)
    subprocess.run(["bash", "-n", file], check=True)


def test_without_python_a_sentence_says_so(bare_path: Path) -> None:
    result = run("find_python", bare_path)

    assert result.returncode == 1
    assert result.stderr.startswith("serve: Python 3.11 or newer is needed")
    assert result.stderr.count("\n") == 1


def test_a_python_that_is_too_old_is_passed_over(bare_path: Path) -> None:
    fake_python(bare_path, "python3", "exit 1")
    (bare_path / "python3.12").symlink_to(sys.executable)

    assert run("find_python", bare_path).stdout.strip() == str(bare_path / "python3.12")


def test_where_venv_is_split_off_a_sentence_says_what_to_install(bare_path: Path) -> None:
    fake_python(bare_path, "python3", 'case "$2" in *ensurepip*) exit 1 ;; esac')

    result = run("find_python", bare_path)

    assert result.returncode == 1
    assert "`apt install python3-venv`" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_failure_to_find_python_ends_the_script(bare_path: Path) -> None:
    result = run("environment .venv-never requirements.lock; echo went on", bare_path)

    assert result.returncode == 1
    assert "went on" not in result.stdout
    assert not (REPOSITORY / ".venv-never").exists()


def test_the_python_that_the_caller_names_comes_first(bare_path: Path) -> None:
    (bare_path / "python3").symlink_to(sys.executable)

    assert run("find_python", bare_path, PYTHON=sys.executable).stdout.strip() == sys.executable


def test_compiled_modules_are_kept_whatever_the_machine_says(bare_path: Path) -> None:
    call = 'is_current() { :; }; environment .venv; printf %s "${PYTHONDONTWRITEBYTECODE-kept}"'

    assert run(call, bare_path, PYTHONDONTWRITEBYTECODE="1").stdout == "kept"


def test_an_environment_is_current_only_for_the_lock_files_it_was_made_from(bare_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    lock = tmp_path / "requirements.lock"
    lock.write_text("one==1\n")
    record = f"fingerprint {lock} >{folder}/made-from.locks; cp pyproject.toml {folder}/made-from.pyproject.toml"
    ask = f"if is_current {folder} {lock}; then echo current; else echo stale; fi"

    assert run(ask, bare_path).stdout == "stale\n"
    assert run(f"{record}; {ask}", bare_path).stdout == "current\n"
    lock.write_text("one==2\n")
    assert run(ask, bare_path).stdout == "stale\n"


@pytest.mark.parametrize("home", ["usable", "not usable"])
def test_uv_gets_a_cache_that_it_can_write(bare_path: Path, tmp_path: Path, home: str) -> None:
    (bare_path / "mkdir").symlink_to(shutil.which("mkdir") or "")
    cache = tmp_path / "cache" if home == "usable" else Path("/dev/null/cache")
    fake_python(bare_path, "uv", f"echo {cache}")

    result = run('give_uv_a_cache; printf %s "${UV_CACHE_DIR-}"', bare_path)

    assert result.stdout == ("" if home == "usable" else str(REPOSITORY / ".cache" / "uv")), result.stderr
