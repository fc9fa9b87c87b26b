"""Validation rules for single settings. They raise ValueError with a message that continues the setting's name."""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import SecretStr

__all__ = [
    "DefaultInWords",
    "check_admin_key",
    "check_database_file",
    "check_directory",
    "check_file",
    "check_host",
    "check_networks",
    "check_public_url",
    "check_socket",
    "is_host",
    "is_loopback_host",
    "lower_case",
    "networks_in",
    "plain_types",
    "processors",
]

_LOOPBACK_NAMES = re.compile(r"(?:.+\.)?localhost")
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_MAX_SOCKET_PATH = 107  # bytes, by the size of the kernel's sockaddr_un
_URL_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


@dataclass(frozen=True, slots=True)
class DefaultInWords:
    """The description of a default that depends on other settings."""

    text: str


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_loopback_host(host: str) -> bool:
    """Return whether a URL's host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return bool(_LOOPBACK_NAMES.fullmatch(host))


def is_host(host: str) -> bool:
    """Return whether a URL's host is an IP address or a host name. A name's last label must not be a number."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return bool(_HOST.fullmatch(host)) and not host.rpartition(".")[2].isdigit()
    return True


def check_public_url(value: str) -> str:
    """Normalise the URL with which ids begin: lower-case host, no default port, no final slash."""
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("must be a URL such as https://badges.example.org") from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\x00-\x20\x7f]", value):
        raise ValueError("must be a URL such as https://badges.example.org")
    if "?" in value or "#" in value or "@" in parts.netloc:
        raise ValueError("must be a plain base address, without user name, query (?) or fragment (#)")
    path = parts.path.rstrip("/")
    if not is_host(host) or not _URL_PATH.fullmatch(path):
        raise ValueError("must hold an ASCII host name (xn--… for others) and a path of plain letters and digits")
    if parts.scheme == "http" and not is_loopback_host(host):
        raise ValueError("must start with https:// (plain http is for this machine itself, such as 127.0.0.1)")
    authority = f"[{host}]" if ":" in host else host
    if port not in (None, {"http": 80, "https": 443}[parts.scheme]):
        authority += f":{port}"
    return f"{parts.scheme}://{authority}{path}"


def check_admin_key(value: SecretStr) -> SecretStr:
    """Check that a key is too long to be guessed, and can stand in an HTTP header field."""
    secret = value.get_secret_value()
    if len(secret) < 32 or not re.fullmatch(r"[!-~]+", secret):
        raise ValueError("must be at least 32 characters, ASCII without spaces; `openssl rand -hex 32` makes one")
    return value


def _mode(path: Path) -> int:
    """Return the mode of what is at the path; 0 if nothing is there, or this user may not see it."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def check_directory(value: Path) -> Path:
    if not stat.S_ISDIR(_mode(value)):
        raise ValueError("must be a folder that exists, and that this user may open")
    return value


def check_file(value: Path) -> Path:
    if not stat.S_ISREG(_mode(value)):
        raise ValueError("must be a file that exists, and that this user may open")
    return value


def check_database_file(value: str) -> str:
    if "\0" in value or stat.S_ISDIR(_mode(Path(value))):
        raise ValueError("must be the path of a file")
    return value


def check_socket(value: Path) -> Path:
    """Check the path. That something listens there is checked at the start, and only warned of: it may start later."""
    if not stat.S_ISDIR(_mode(value.parent)):
        raise ValueError("must be in a folder that exists, and that this user may open")
    if (mode := _mode(value)) and not stat.S_ISSOCK(mode):
        raise ValueError("must be a Unix socket, as `lapel signer serve` creates it")
    if len(os.fsencode(value)) > _MAX_SOCKET_PATH:
        raise ValueError(f"must be at most {_MAX_SOCKET_PATH} bytes long, like every path of a Unix socket")
    return value


def check_host(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:_%-]+", value):
        raise ValueError("must be an address such as 127.0.0.1 or ::1, or a name of this machine")
    return value


def networks_in(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Parse a list of addresses and networks, separated by commas or spaces. Raises ValueError for anything else."""
    return tuple(ipaddress.ip_network(name) for name in value.replace(",", " ").split())


def check_networks(value: str) -> str:
    try:
        networks = networks_in(value)
    except ValueError:
        networks = ()
    if not networks:
        raise ValueError("must be addresses or networks such as 10.0.0.0/8, separated by commas")
    return ", ".join(str(network) for network in networks)


def lower_case(value: object) -> object:
    """Convert a text to lower case, for choices that may be written in any case."""
    return value.lower() if isinstance(value, str) else value


def plain_types(annotation: object) -> list[object]:
    """Return the plain types in an annotation such as ``Annotated[X, ...] | None``."""
    if get_origin(annotation) in (None, Literal):
        return [annotation]
    return [plain for part in get_args(annotation) for plain in plain_types(part)]
