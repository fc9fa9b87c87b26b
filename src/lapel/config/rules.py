"""The rules that single settings follow. Each raises ValueError with the second half of a sentence."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import SecretStr

__all__ = [
    "DefaultInWords",
    "check_admin_key",
    "check_directory",
    "check_file",
    "check_host",
    "check_networks",
    "check_path",
    "check_public_url",
    "check_socket",
    "is_loopback_host",
    "lower_case",
    "networks_in",
    "plain_types",
    "processors",
]

_LOOPBACK_NAMES = re.compile(r"(?:.+\.)?localhost")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_URL_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")


@dataclass(frozen=True, slots=True)
class DefaultInWords:
    """A default that depends on other settings, in words."""

    text: str


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_loopback_host(host: str) -> bool:
    """Whether a URL's host is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return bool(_LOOPBACK_NAMES.fullmatch(host))


def check_public_url(value: str) -> str:
    """`value` in the one spelling that ids are made from: lower-case host, no default port, no final slash."""
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
    if not (_HOST.fullmatch(host) or ":" in host) or not _URL_PATH.fullmatch(path):
        raise ValueError("must hold an ASCII host name (xn--… for others) and a path of plain letters and digits")
    if parts.scheme == "http" and not is_loopback_host(host):
        raise ValueError("must start with https:// (plain http is for this machine itself, such as 127.0.0.1)")
    authority = f"[{host}]" if ":" in host else host
    if port not in (None, {"http": 80, "https": 443}[parts.scheme]):
        authority += f":{port}"
    return f"{parts.scheme}://{authority}{path}"


def check_admin_key(value: SecretStr) -> SecretStr:
    """Long enough not to be guessed, and fit for an HTTP header field."""
    secret = value.get_secret_value()
    if len(secret) < 32 or not re.fullmatch(r"[!-~]+", secret):
        raise ValueError("must be at least 32 characters, ASCII without spaces; `openssl rand -hex 32` makes one")
    return value


def check_directory(value: Path) -> Path:
    if not value.is_dir():
        raise ValueError("must be a folder that exists")
    return value


def check_file(value: Path) -> Path:
    if not value.is_file():
        raise ValueError("must be a file that exists")
    return value


def check_path(value: str) -> str:
    if "\0" in value:
        raise ValueError("must be a path")
    return value


def check_socket(value: Path) -> Path:
    """Whether something listens there is found out when it is needed: it may be started later, or anew."""
    if not value.parent.is_dir():
        raise ValueError("must be in a folder that exists")
    return value


def check_host(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:_%-]+", value):
        raise ValueError("must be an address such as 127.0.0.1 or ::1, or a name of this machine")
    return value


def networks_in(value: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """The addresses and networks in a list that commas or spaces separate. Raises ValueError for anything else."""
    return tuple(ipaddress.ip_network(name) for name in value.replace(",", " ").split())


def check_networks(value: str) -> str:
    try:
        found = networks_in(value)
    except ValueError:
        raise ValueError("must be addresses or networks such as 10.0.0.0/8, with commas between them") from None
    return ", ".join(str(network) for network in found)


def lower_case(value: object) -> object:
    """For choices that may be spelled in any case."""
    return value.lower() if isinstance(value, str) else value


def plain_types(annotation: object) -> list[object]:
    """The plain types in an annotation such as ``Annotated[X, ...] | None``."""
    if get_origin(annotation) in (None, Literal):
        return [annotation]
    return [plain for part in get_args(annotation) for plain in plain_types(part)]
