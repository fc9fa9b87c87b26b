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
    *(
        "lapel.bootstrap",
        "lapel.cli",
        "lapel.cli.demonstration",
        "lapel.cli.issuing.bulk",
        "lapel.maintenance.backing_up",
    ),
    *("lapel.maintenance.checking", "lapel.maintenance.copying", "lapel.maintenance.recovering"),
    *("lapel.maintenance.restoring", "lapel.serving.server_process", "lapel.serving.supervising", "rich.progress"),
)
"""What the commands load only when they need it."""
_MOST_BYTES = 1 << 20


def run(listening: socket.socket) -> None:
    """Serve until the standard input ends. Returns in a child alone: in the command that it has become."""
    children: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(listening, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    os._exit(0)
                if key.fd in children:
                    selector.unregister(key.fd)
                    _told(key.fd, *children.pop(key.fd))
                    continue
                connection, _ = listening.accept()
                given, files, _, _ = socket.recv_fds(connection, _MOST_BYTES, 3)
                pid = os.fork()
                if not pid:
                    for ended, (_, other) in children.items():
                        os.close(ended)
                        other.close()
                    connection.close()
                    listening.close()
                    break
                for file in files:
                    os.close(file)
                connection.send(str(pid).encode())
                child = os.pidfd_open(pid)
                selector.register(child, selectors.EVENT_READ)
                children[child] = (pid, connection)
            else:
                continue
            break
    _become(given, files)


def _told(ended: int, pid: int, connection: socket.socket) -> None:
    os.close(ended)
    _, status = os.waitpid(pid, 0)
    with suppress(OSError), connection:  # who has asked may be gone
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def _become(given: bytes, files: list[int]) -> None:
    sys.argv, folder, umask, environment = json.loads(given)
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in files:
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
    run(socket.socket(fileno=int(sys.argv[1])))
    from lapel.cli import main

    main()
