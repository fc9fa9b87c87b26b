"""The most memory that a process has had in its place, in bytes.

The system's own `ru_maxrss` will not do: it begins with what the process had that started this one.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from threading import Thread
from time import sleep

__all__ = ["MostMemory", "most_memory"]

_PAUSE = 0.02


def most_memory(pid: int | str = "self") -> int:
    """Of that process so far, since its program began; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines.get("VmHWM", "0 kB").split()[0]) * 1024


class MostMemory:
    """Of another process: looked at every now and then until it ends."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._pid = process.pid
        self._most = 0
        self._looking = Thread(target=self._look, daemon=True)
        self._looking.start()

    def _look(self) -> None:
        while now := most_memory(self._pid):
            self._most = max(self._most, now)
            sleep(_PAUSE)

    def bytes(self) -> int:
        """Once it has ended."""
        self._looking.join()
        return self._most
