"""Implementations in JavaScript that none of us wrote, installed by npm and asked through `peer.mjs`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lapel.credentials.jsonld import Contexts
from tests.support.source_tree import REPOSITORY

__all__ = ["Peer", "PeerRefused", "install", "running_peer"]

HERE = Path(__file__).parent
CACHE = REPOSITORY / ".cache" / "npm"
WHAT_TO_INSTALL = ("package.json", "package-lock.json")


class PeerRefused(AssertionError):
    """The peer did not do what it was asked to."""


class Peer:
    """A running Node. Its operations are those of `peer.mjs`, and take their arguments by name."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, operation: str, **arguments: object) -> Any:
        """What the operation answers.

        Raises:
            PeerRefused: it could not, and why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"operation": operation, **arguments}) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "ok" not in answer:
            raise PeerRefused(f"{operation}: {answer.get('error')}")
        return answer["ok"]

    def verifies(self, credential: object) -> bool:
        """Whether it believes the proof of a credential, and its status list where there is one."""
        verified: bool = self("verify", credential=credential)["verified"]
        return verified


def install() -> Path:
    """The `node_modules` that the lock file names: made once, and again when that changes."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in WHAT_TO_INSTALL)).hexdigest()
    made = CACHE / digest[:16]
    if not made.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        # In a folder of its own that gets its name when it is whole: another worker may be at the same.
        half_made = Path(tempfile.mkdtemp(dir=CACHE, prefix="half-made-"))
        for name in WHAT_TO_INSTALL:
            shutil.copy(HERE / name, half_made)
        quiet = (
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-update-notifier",
            f"--cache={CACHE / 'downloads'}",
        )
        done = subprocess.run(["npm", "ci", *quiet], cwd=half_made, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, f"npm could not install tests/interop/package-lock.json:\n{done.stderr}"
        try:
            half_made.rename(made)
        except OSError:
            shutil.rmtree(half_made)
            assert made.exists()
    return made / "node_modules"


@contextmanager
def running_peer(folder: Path) -> Iterator[Peer]:
    """Node with the installed packages, in this empty folder, which knows Lapel's own contexts and no others."""
    contexts = Contexts.bundled()
    documents = {url: contexts.document(url) for url in contexts.urls()}
    (folder / "contexts.json").write_text(json.dumps(documents), encoding="utf-8")
    (folder / "node_modules").symlink_to(install())
    shutil.copy(HERE / "peer.mjs", folder)
    command = ["node", "peer.mjs", "contexts.json"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, text=True, encoding="utf-8") as process:
        yield Peer(process)  # at the end its input is closed, and so it ends
