"""``lapel serve`` as a process of its own."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

import httpx
import pytest

from lapel.config import Settings
from lapel.serving.server_process import AddressTaken, run_server
from tests.support.forking import forked_lapel
from tests.support.postgres_server import PostgresServer
from tests.support.server_process import answers, free_port, log_of, serving
from tests.support.waiting import eventually


def test_a_first_start_makes_everything_and_shows_its_key_once(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as process:
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
        (key,) = re.findall(r"lapel_[\w-]{43}", log_of(tmp_path, port))
        listed = httpx.get(
            f"http://127.0.0.1:{port}/v3/issuers",
            headers={"authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=60,
        )
        assert listed.status_code == 200
        assert "server" not in listed.headers

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0

    with serving(tmp_path, port) as process:
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
        assert not re.search(r"lapel_[\w-]{43}", log_of(tmp_path, port))


def test_a_second_server_on_the_same_file_is_refused(tmp_path: Path) -> None:
    port, other = free_port(), free_port()
    with serving(tmp_path, port):
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
        with serving(tmp_path, other) as second:
            assert second.wait(60) == 1
        assert "database_locked" in log_of(tmp_path, other)
        assert answers(port)


def test_a_port_that_is_taken_ends_it_with_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(tmp_path, port) as process:
            assert process.wait(60) == 1
    assert "address_taken" in log_of(tmp_path, port)
    assert not (tmp_path / "lapel.sqlite").exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_not_called_taken(tmp_path: Path, host: str) -> None:
    settings = Settings(host=host, port=free_port(), sqlite_file=str(tmp_path / "lapel.sqlite"))

    with pytest.raises(AddressTaken) as caught:
        run_server(settings, report=print)

    assert "must be an address of this machine" in (caught.value.hint or "")
    assert not (tmp_path / "lapel.sqlite").exists()


def test_a_port_that_only_root_may_listen_on_is_not_called_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: socket.socket, __: object) -> None:  # as the system does, unless it is set to let everybody
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket.socket, "bind", refused)
    with pytest.raises(AddressTaken, match="port 80: Permission denied") as caught:
        run_server(Settings(port=80, sqlite_file=str(tmp_path / "lapel.sqlite")), report=print)

    assert "a port from 1024 on" in (caught.value.hint or "")


def test_a_reload_does_not_end_the_only_process(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as process:
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
        process.send_signal(signal.SIGHUP)
        assert eventually(lambda: "restart this one instead" in log_of(tmp_path, port)), process.poll()
        assert answers(port)
        process.terminate()
        assert process.wait(60) == 0


def test_a_running_request_is_answered_before_the_end(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port) as process:
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(
                b"POST /v3/verify HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhel"
            )
            assert eventually(lambda: answers(port))  # the server has had its turn: the request above has begun
            process.send_signal(signal.SIGTERM)
            assert eventually(lambda: not answers(port))
            connection.sendall(b"lo")
            assert connection.recv(4096).startswith(b"HTTP/1.1 400")
        assert process.wait(60) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_whoever_reads_that_it_serves_can_connect(tmp_path: Path, postgres_dsn: str, workers: int) -> None:
    port = free_port()
    environment = {"LAPEL_MASTER_KEY": "0f" * 31 + "aa", "LAPEL_WORKERS": str(workers), "DATABASE_URL": postgres_dsn}
    if workers == 1:
        del environment["DATABASE_URL"]
    else:
        made = {**os.environ, **environment}
        subprocess.run([forked_lapel(), "db", "migrate"], env=made, check=True, capture_output=True)
    with serving(tmp_path, port, **environment):
        assert eventually(lambda: "Lapel serves" in log_of(tmp_path, port)), log_of(tmp_path, port)
        socket.create_connection(("127.0.0.1", port), timeout=60).close()


def test_a_signer_that_is_not_there_is_warned_of_at_the_start(tmp_path: Path) -> None:
    port, nowhere = free_port(), tmp_path / "misspelt.sock"
    with serving(tmp_path, port, LAPEL_SIGNER_SOCKET=str(nowhere)):
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
    assert f"The outside signer at {nowhere} is away: No such file or directory." in log_of(tmp_path, port)
    assert "does LAPEL_SIGNER_SOCKET name its socket?" in log_of(tmp_path, port)


def test_another_public_url_is_warned_of_once_there_is_an_issuer(tmp_path: Path) -> None:
    first, second, third = free_port(), free_port(), free_port()
    for port in (first, second):
        with serving(tmp_path, port):
            assert eventually(partial(answers, port)), log_of(tmp_path, port)
        assert "The public URL is" not in log_of(tmp_path, port)  # no badge has been issued under the first
    environment = {**os.environ, "SQLITE_FILE": str(tmp_path / "lapel.sqlite"), "LAPEL_PORT": str(second)}
    subprocess.run([forked_lapel(), "demo"], env=environment, check=True, capture_output=True)

    with serving(tmp_path, third):
        assert eventually(lambda: answers(third)), log_of(tmp_path, third)

    assert (
        f"The public URL is http://127.0.0.1:{third}, but badges of this database were issued under"
        f" http://127.0.0.1:{second}." in log_of(tmp_path, third)
    )
    with serving(tmp_path, third, LAPEL_PUBLIC_URL=f"http://127.0.0.1:{second}"):
        assert eventually(lambda: answers(third)), log_of(tmp_path, third)
        assert "The public URL is" not in log_of(tmp_path, third)


def test_a_database_that_goes_away_is_told_to_the_operator_without_a_traceback(
    tmp_path: Path, stoppable_postgres: PostgresServer
) -> None:
    dsn, port = stoppable_postgres.create_database(), free_port()
    environment = {"DATABASE_URL": dsn, "LAPEL_MASTER_KEY": "0f" * 31 + "aa"}
    subprocess.run(
        [forked_lapel(), "db", "migrate"], env={**os.environ, **environment}, check=True, capture_output=True
    )
    with serving(tmp_path, port, **environment):
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
        stoppable_postgres.stop("immediate")
        said = httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False, timeout=60).text
        key = {"authorization": "Bearer lapel_x"}
        said += httpx.get(f"http://127.0.0.1:{port}/v3/issuers", headers=key, trust_env=False, timeout=60).text
        log = log_of(tmp_path, port)

    assert "database_not_connected" in said
    assert "postgresql://" not in said
    assert "the database is away" in log
    assert re.search(r"address='?postgresql://", log)
    assert "Traceback" not in log
    assert "retry" not in log
