"""A process that keeps one PostgreSQL server for its parent and leaves nothing behind, however that ends.

Run by ``postgres_server.py``, which writes one command a line on standard input (``start``, ``stop fast``,
``stop immediate``, ``follow`` and the folder of a socket) and reads one JSON object a line in answer: ``{"pid": …}`` or
``{"error": …}``. At the end of the input, or when the parent is gone, the server is stopped and its folder removed. A
parent killed outright runs no clean-up of its own, which is why this is a process by itself.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.postgres_install import copy_programs

__all__ = ["PORT", "SUPERUSER", "Plan"]

SUPERUSER = "lapel"
PORT = 5432  # only names the socket: nothing listens on the network
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SESSIONS_LEFT = "pre-existing shared memory block"
PR_SET_PDEATHSIG = 1
C_LIBRARY = ctypes.CDLL(None)
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: for which process, where, as whom (None for ourselves), with which settings."""

    parent: int
    folder: str
    uid: int | None
    gid: int | None
    settings: dict[str, str]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @property
    def data(self) -> Path:
        return Path(self.folder, "data")

    @property
    def socket(self) -> Path:
        return Path(self.folder, "socket")

    @property
    def log(self) -> Path:
        return Path(self.folder, "log")

    def end_of_log(self) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        except FileNotFoundError:
            return "(there is no log)"


class Supervisor:
    """Starts and stops the server; it is our own child, so its process id cannot become somebody else's."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._programs: Path | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def obey(self, command: str) -> dict[str, object]:
        try:
            match command.split():
                case ["start"]:
                    return {"pid": self.start()}
                case ["stop", mode]:
                    self.stop(mode)
                    return {"pid": None}
                case ["follow", socket]:
                    return {"pid": self.follow(socket)}
            return {"error": f"unknown command: {command}"}
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            return {"error": str(error)}

    def start(self) -> int:
        """Start the server, made first if need be, and wait until it accepts connections."""
        if self._server is not None and self._server.poll() is None:
            self._server.send_signal(signal.SIGCONT)  # a test may have suspended it
            return self._server.pid
        self._prepare()
        if not self._plan.data.exists():
            self._initialise()
        settings = [part for name, value in self._plan.settings.items() for part in ("-c", f"{name}={value}")]
        place = ("-D", str(self._plan.data), "-k", str(self._plan.socket), "-p", str(PORT))
        deadline = time.monotonic() + START_SECONDS
        while True:
            server = self._server = self._spawn("postgres", *place, *settings)
            while not self._is_ready(server):
                if server.poll() is not None:
                    break
                if time.monotonic() > deadline:
                    self.stop("immediate")
                    raise RuntimeError(f"PostgreSQL was not ready in {START_SECONDS} s:\n{self._plan.end_of_log()}")
                time.sleep(0.005)
            else:
                return server.pid
            # The sessions of a server that was killed take a moment to notice and to leave.
            if SESSIONS_LEFT not in self._plan.end_of_log() or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL ended with {server.returncode}:\n{self._plan.end_of_log()}")
            time.sleep(0.05)

    def stop(self, mode: str) -> None:
        """Stop the server and wait for its end; a server that is not running is stopped already."""
        if self._server is None:
            return
        if self._server.poll() is None:
            self._server.send_signal(STOP_SIGNALS[mode])
            self._server.send_signal(signal.SIGCONT)
            try:
                self._server.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        self._server = None

    def follow(self, socket: str) -> int:
        """Become a standby of the server at that socket, with a fresh copy of its data, and start."""
        self.stop("immediate")
        self._prepare()
        shutil.rmtree(self._plan.data, ignore_errors=True)
        self._run(
            "pg_basebackup", f"--host={socket}", f"--port={PORT}", f"--username={SUPERUSER}", "--checkpoint=fast",
            "--no-sync", "--write-recovery-conf", f"--pgdata={self._plan.data}",
        )  # fmt: skip
        return self.start()

    def _prepare(self) -> None:
        """The programs, and a folder for the socket."""
        if self._programs is not None:
            return
        self._programs = copy_programs(Path(self._plan.folder))
        self._plan.socket.mkdir(mode=0o700)
        if self._plan.uid is not None and self._plan.gid is not None:
            os.chown(self._plan.socket, self._plan.uid, self._plan.gid)

    def _initialise(self) -> None:
        # `trust` lets in whoever reaches the socket, and the folder around it keeps all others out.
        self._run(
            "initdb", "--no-sync", "--no-instructions", "--auth=trust", f"--username={SUPERUSER}",
            "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            f"--pgdata={self._plan.data}",
        )  # fmt: skip

    def _run(self, program: str, *arguments: str) -> None:
        made = self._spawn(program, *arguments)
        if made.wait(START_SECONDS) != 0:
            raise RuntimeError(f"{program} ended with {made.returncode}:\n{self._plan.end_of_log()}")

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        # The signal that follows our own death is lost on a change of account, so it is asked for after that:
        # subprocess calls `preexec_fn` last.
        assert self._programs is not None
        other = self._plan.uid is not None
        with self._plan.log.open("ab") as log:
            return subprocess.Popen(
                [str(self._programs / program), *arguments],
                cwd=self._plan.folder,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._plan.uid,
                group=self._plan.gid,
                extra_groups=[] if other else None,
                preexec_fn=_end_with_the_parent,
            )

    def _is_ready(self, server: subprocess.Popen[bytes]) -> bool:
        # The first line is the server's process id, the eighth its state, as pg_ctl reads them.
        try:
            lines = (self._plan.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(server.pid) and lines[7].strip() == "ready"


def _end_with_the_parent() -> None:
    """Have the system end the server should this process itself be killed (Linux; elsewhere nothing does)."""
    if sys.platform == "linux":
        C_LIBRARY.prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit


def main() -> None:
    """Obey until the input or the parent ends; then stop the server and remove its folder."""
    plan = Plan(**json.loads(sys.argv[1]))
    supervisor = Supervisor(plan)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    signal.signal(signal.SIGTERM, _leave)
    try:
        # A forked child of the parent may hold the other end of the input open, so the parent is watched too.
        while os.getppid() == plan.parent:
            if not select.select([sys.stdin], [], [], 0.5)[0]:
                continue
            command = sys.stdin.readline()
            if not command:
                break
            sys.stdout.write(json.dumps(supervisor.obey(command)) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        pass
    finally:
        supervisor.stop("immediate")
        shutil.rmtree(plan.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
