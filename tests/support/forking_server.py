"""A process that has loaded all of Lapel, and is forked for each command: a start without seconds of imports.

Run by ``forking.py`` with the number of a listening socket. Whoever connects sends, with the files that are to be the
command's standard ones, its arguments, folder, umask and environment as JSON; and is told its process id, and at its
end its exit status, or the signal as a negative number. It ends with its standard input: when who started it is gone.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import socket
import sys
import time
from contextlib import suppress

_LOADED = (
    *("lapel.bootstrap", "lapel.cli", "lapel.cli.demonstration", "lapel.cli.issuing.bulk"),
    *("lapel.maintenance.backing_up", "lapel.maintenance.checking", "lapel.maintenance.copying"),
    *("lapel.maintenance.recovering", "lapel.maintenance.restoring", "lapel.serving.server_process"),
    *("lapel.serving.supervising", "rich.progress"),
)
"""What the commands load only when they need it."""
_MAX_BYTES = 1 << 20


class ForkingServer:
    """Takes commands at `listening`, and tells who has asked how they end."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._running: dict[int, tuple[int, socket.socket]] = {}  # by the file that can be read when it has ended
        self._selector = selectors.DefaultSelector()
        self._selector.register(listening, selectors.EVENT_READ)
        self._selector.register(sys.stdin, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until the standard input ends. Returns in a child alone: in the command that it has become."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    os._exit(0)
                elif key.fd in self._running:
                    self._tell(key.fd)
                elif self._fork():
                    return

    def _fork(self) -> bool:
        """Start what is asked for next. Whether this is the child."""
        connection, _ = self._listening.accept()
        given, files, _, _ = socket.recv_fds(connection, _MAX_BYTES, 3)
        pid = os.fork()
        if not pid:
            self._close()
            connection.close()
            _become(given, files)
            return True
        for file in files:
            os.close(file)
        connection.send(str(pid).encode())
        ended = os.pidfd_open(pid)
        self._selector.register(ended, selectors.EVENT_READ)
        self._running[ended] = (pid, connection)
        return False

    def _tell(self, ended: int) -> None:
        self._selector.unregister(ended)
        pid, connection = self._running.pop(ended)
        os.close(ended)
        _, status = os.waitpid(pid, 0)
        with suppress(OSError), connection:  # who has asked may be gone
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())

    def _close(self) -> None:
        self._selector.close()
        self._listening.close()
        for ended, (_, connection) in self._running.items():
            os.close(ended)
            connection.close()


def _become(given: bytes, files: list[int]) -> None:
    """Take over what makes a process the one that was asked for."""
    sys.argv, folder, umask, environment = json.loads(given)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.umask(umask)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()


if __name__ == "__main__":
    for module in _LOADED:
        importlib.import_module(module)
    gc.freeze()
    ForkingServer(socket.socket(fileno=int(sys.argv[1]))).run()
    from lapel.cli import main

    main()
