"""``lapel signer serve`` as a process of its own: started, frozen, ended."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path

from tests.support.server_process import LAPEL, without_settings
from tests.support.waiting import eventually

__all__ = ["SignerProcess"]


class SignerProcess:
    """A signer with a folder of keys; not running yet. `end` it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "signer.sock"
        self.keys = folder / "keys"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers; one that is frozen goes on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            return
        command = [str(LAPEL), "signer", "serve", "--socket", str(self.socket), "--keys", str(self.keys)]
        self._process = subprocess.Popen(command, env=without_settings(), stdout=subprocess.DEVNULL)
        assert eventually(self._answers)

    def freeze(self) -> None:
        """Let it do nothing: who connects waits."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def end(self) -> None:
        """End it at once, as in a crash: its socket stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True
