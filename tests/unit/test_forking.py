"""That a forked ``lapel`` is to its parent what one of its own would be."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.forking import forked_lapel, started
from tests.support.server_process import free_port, without_settings


def test_a_command_says_and_ends_as_it_would_by_itself(tmp_path: Path) -> None:
    script = 'umask 077; "$0" --version; "$0" fly || echo "status $?"; SQLITE_FILE=here.sqlite "$0" db migrate'
    done = subprocess.run(
        ["bash", "-c", script, forked_lapel()], cwd=tmp_path, env=without_settings(), capture_output=True, text=True
    )

    assert done.stdout.startswith("lapel ")
    assert "status 2\n" in done.stdout
    assert "No such command" in done.stderr
    assert (done.returncode, (tmp_path / "here.sqlite").exists()) == (0, True)


def test_a_process_is_waited_for_and_tells_by_which_signal_it_ended(tmp_path: Path) -> None:
    environment = without_settings() | {"SQLITE_FILE": str(tmp_path / "lapel.sqlite")}
    with (tmp_path / "log").open("w") as log:
        process = started(["serve", "--port", str(free_port())], environment=environment, errors=log)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.01)
        assert process.poll() is None

        process.send_signal(signal.SIGKILL)

        assert process.wait(60) == process.poll() == -signal.SIGKILL
