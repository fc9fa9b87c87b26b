"""The peer, and the servers that it is tried against."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.http.conftest import server
from tests.interop.peer import Peer, running_peer

__all__ = ["peer", "server"]


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """Implementations in JavaScript; without Node the tests of this folder skip, and in CI they fail."""
    if missing := [program for program in ("node", "npm") if shutil.which(program) is None]:
        pytest.skip(f"no {' and no '.join(missing)}: `apt install nodejs npm` brings what runs other implementations")
    with running_peer(tmp_path_factory.mktemp("peer")) as peer:
        yield peer
