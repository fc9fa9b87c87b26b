"""The files of deploy/: each is tried as far as a machine without root and without a network can."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from lapel.config import load_settings
from lapel.config.settings import Settings
from tests.faults.small_disk import may_mount
from tests.support.server_process import ADMIN_KEY, answers, free_port, log_of, serving
from tests.support.source_tree import REPOSITORY
from tests.support.waiting import eventually

DEPLOY = REPOSITORY / "deploy"


def instructions() -> list[tuple[str, str]]:
    """The steps of the container file: each instruction and what follows it."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def copied_from_here() -> list[str]:
    return [
        source
        for name, rest in instructions()
        if name == "COPY" and not rest.startswith("--from")
        for source in shlex.split(rest)[:-1]
    ]


def test_the_container_file_copies_what_is_there_and_all_that_the_package_is_made_of(tmp_path: Path) -> None:
    for source in copied_from_here():
        place = tmp_path / source
        if (REPOSITORY / source).is_dir():
            shutil.copytree(REPOSITORY / source, place, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(REPOSITORY / source, place)
    (step,) = [rest for name, rest in instructions() if name == "RUN" and "pip wheel" in rest]
    step = step.replace("/opt/build/bin/pip", f"{sys.executable} -m pip")

    subprocess.run(["bash", "-ec", step], cwd=tmp_path, check=True, capture_output=True)

    (wheel,) = (tmp_path / "wheels").glob("lapel-*.whl")
    with zipfile.ZipFile(wheel) as package:
        names = set(package.namelist())
    ours = {path.relative_to(REPOSITORY / "src").as_posix() for path in (REPOSITORY / "src/lapel").rglob("*.py")}
    assert ours <= names


def test_the_container_installs_only_what_is_locked_and_runs_as_nobody() -> None:
    steps = instructions()
    installs = [rest for name, rest in steps if name == "RUN" and "pip install" in rest]
    assert all("--require-hashes" in step or "--no-index" in step for step in installs)
    assert {Path(lock).name for step in installs for lock in re.findall(r"-r (\S+)", step)} == {
        "requirements.lock",
        "requirements-build.lock",
    }
    (user,) = [rest for name, rest in steps if name == "USER"]
    assert int(user) > 0
    names = [name for name, _ in steps]
    assert "RUN" not in names[names.index("USER") :]


def test_the_settings_of_the_container_are_settings() -> None:
    pairs = [pair for name, rest in instructions() if name == "ENV" for pair in shlex.split(rest)]
    given = dict(pair.split("=", 1) for pair in pairs)
    ours = {name: value for name, value in given.items() if name.startswith(("LAPEL_", "SQLITE_", "DB_"))}
    assert set(ours) <= {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert load_settings(ours).host == "0.0.0.0"  # noqa: S104 - in a container


def test_the_health_check_of_the_container_tells_a_ready_server(tmp_path: Path) -> None:
    (check,) = [rest for name, rest in instructions() if name == "HEALTHCHECK"]
    command: list[str] = json.loads(check[check.index("CMD") + 3 :])
    port = free_port()
    environment = {**os.environ, "LAPEL_PORT": str(port), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def is_healthy() -> bool:
        return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0

    assert not is_healthy()
    with serving(tmp_path, port):
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
        assert is_healthy()


def test_the_example_of_settings_for_the_service_is_one(tmp_path: Path) -> None:
    lines = (DEPLOY / "lapel.env").read_text(encoding="utf-8").splitlines()
    given = dict(word.split("=", 1) for line in lines for word in shlex.split(line, comments=True))
    key = tmp_path / "key"
    key.touch()

    settings = load_settings({**given, "LAPEL_MASTER_KEY_FILE": str(key)})

    assert set(given) <= {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert not settings.warnings
    unit = (DEPLOY / "lapel.service").read_text(encoding="utf-8")
    assert "LoadCredential=master-key:" in unit
    assert given["LAPEL_MASTER_KEY_FILE"] == "/run/credentials/lapel.service/master-key"


def test_commands_read_the_settings_of_the_service_as_it_does_also_an_address_with_tls(tmp_path: Path) -> None:
    operating = (DEPLOY.parent / "docs" / "operating.md").read_text(encoding="utf-8")
    (tls,) = re.findall(r"Append `(\?sslmode=\S+)`", operating)
    (sourced,) = re.findall(r"^set -a; .*; set \+a$", operating, re.MULTILINE)
    file = tmp_path / "lapel.env"
    example = (DEPLOY / "lapel.env").read_text(encoding="utf-8")
    file.write_text(example.replace("db.example.org/lapel", f"db.example.org/lapel{tls}"))
    script = f'{sourced.replace("/etc/lapel/lapel.env", str(file))}; printf %s "$DATABASE_URL"'

    done = subprocess.run(["bash", "-uc", script], env={}, capture_output=True, text=True, check=False)

    assert done.stdout == f"postgresql://lapel:PASSWORD@db.example.org/lapel{tls}", done.stderr


def test_the_service_is_sound_and_hardened_and_waits_for_the_end(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze, of the package systemd, is not here")
    text = (DEPLOY / "lapel.service").read_text(encoding="utf-8")
    unit = tmp_path / "lapel.service"
    unit.write_text(text.replace("/opt/lapel/bin/lapel", str(Path(sys.executable).with_name("lapel"))))

    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")

    looked_at = ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(unit)]  # of a hundred
    assert subprocess.run(looked_at, capture_output=True, check=False).returncode == 0
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(seconds) >= load_settings({}).drain_seconds + 20  # for the database, and for processes that hang


@pytest.mark.skipif(not may_mount(), reason="needs a /proc of its own")
def test_the_service_tells_its_memory_and_time_where_it_sees_of_the_machine_what_the_unit_lets_it() -> None:
    unit = (DEPLOY / "lapel.service").read_text(encoding="utf-8")
    options = {"ProtectProc": "hidepid", "ProcSubset": "subset"}
    chosen = re.findall(r"^(ProtectProc|ProcSubset)=(\w+)$", unit, re.MULTILINE)
    seen = ",".join(f"{options[name]}={value}" for name, value in chosen)
    measure = "from lapel.http.metrics import generate_latest; print(generate_latest().decode())"
    script = 'mount -t proc -o "$0" proc /proc && exec "$@"'

    within = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-c", script, seen]
    told = subprocess.run([*within, sys.executable, "-c", measure], capture_output=True, text=True, check=True).stdout

    assert "process_resident_memory_bytes " in told
    assert "process_cpu_seconds_total " in told


@contextmanager
def nginx_before(folder: Path, port: int, *, tls_port: int) -> Iterator[None]:
    """The example in front of a server at that port, with a certificate of its own."""
    certificate, key = folder / "fullchain.pem", folder / "privkey.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=badges.example.org"
    subprocess.run([*make.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    example = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    replaced = {
        "127.0.0.1:8000": f"127.0.0.1:{port}",
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "listen [::]:80;": "",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{tls_port} ssl http2;",
        "listen [::]:443 ssl http2;": "",
        "/etc/letsencrypt/live/badges.example.org": str(folder),
    }
    for old, new in replaced.items():
        assert old in example
        example = example.replace(old, new)
    temporary = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi"))
    others = "".join(f"{name}_temp_path {folder}/{name};" for name in ("uwsgi", "scgi"))
    user = "user root;" if os.getuid() == 0 else ""  # else the folder is closed to it
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {temporary} {others}\n{example}\n}}\n"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]
    with (folder / "nginx.log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            assert eventually(lambda: process.poll() is not None or listens(tls_port))
            assert process.poll() is None, (folder / "nginx.log").read_text()
            yield
        finally:
            process.terminate()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


HIDDEN = ("/metrics", "/metrics/", "/metrics%2f", "/health/ready", "/health/ready/", "/health//ready/")


def test_the_example_of_a_proxy_is_one(tmp_path: Path) -> None:
    if not shutil.which("nginx"):
        pytest.skip("nginx is not here")
    port, tls_port = free_port(), free_port()
    settings = {"LAPEL_PUBLIC_URL": "https://badges.example.org", "LAPEL_ADMIN_KEY": ADMIN_KEY}
    settings["LAPEL_TRUSTED_PROXIES"] = "127.0.0.1"
    with serving(tmp_path, port, **settings), nginx_before(tmp_path, port, tls_port=tls_port):
        assert eventually(lambda: answers(port)), log_of(tmp_path, port)
        trusted = ssl.create_default_context(cafile=str(tmp_path / "fullchain.pem"))
        trusted.check_hostname = False
        headers = {"host": "badges.example.org", "authorization": f"Bearer {ADMIN_KEY}"}
        with httpx.Client(
            base_url=f"https://127.0.0.1:{tls_port}", verify=trusted, trust_env=False, headers=headers, timeout=60
        ) as client:
            made = client.post("/v3/issuers", json={"name": "Harbour University"})
            hidden = [client.get(path).status_code for path in HIDDEN]
            missing = client.get("/v3/nothing")
            large = client.post("/v3/verify", content=b"x" * 2_500_000, headers={"content-type": "text/plain"})
            batch = client.post("/v3/credentials/batch", content=b"x" * 8_000_000)

    assert made.status_code == 201
    assert made.json()["id"].startswith("https://badges.example.org/")
    assert made.headers.get_list("strict-transport-security") == ["max-age=31536000"]  # once (RFC 6797, 7.1)
    assert set(hidden) <= {301, 404}  # 301 leads to what is hidden
    assert re.fullmatch(r"[0-9a-f]{32}", missing.json()["request_id"])  # nginx's own
    assert large.json()["code"] == "too_large"  # said by Lapel, and so as a problem document
    assert batch.json()["code"] not in ("too_large", "internal_error")  # as large as a batch may be, and no JSON
