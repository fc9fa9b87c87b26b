"""The rules for URLs that may be fetched: some for the URL itself, some for the addresses of its host."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import httpx

from lapel.domain.fetching import FetchRefused
from lapel.fetching.addresses import IPAddress, is_loopback, is_public, parse_address

__all__ = ["Policy", "Target", "parse_target"]

_MAX_URL_LENGTH = 4096
_MAX_ADDRESSES = 32
_DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 952 forbids underscores in host names, but they are in use below public suffixes.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
# The URL standard and resolvers read a host that ends in a number as IPv4, in many notations.
_NUMERIC_END = re.compile(r"(?:\d+|0x[0-9a-f]*)\Z")
# Names within private networks: RFC 6761, 6762, 8375, 9476 (.internal by ICANN's decision of 2024).
_INTERNAL_SUFFIXES = (
    ".local",
    ".internal",
    ".home.arpa",
    ".intranet",
    ".lan",
    ".corp",
    ".home",
    ".private",
    ".alt",
    ".onion",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed and normalised URL.

    Attributes:
        scheme: ``http`` or ``https``.
        host: a lower-case ASCII name without a final dot, or an IP address without brackets.
        port: 1 to 65535.
        path: path and query, percent-encoded, as it goes into the request line.
        address: the host if it is an IP address, else None.
    """

    scheme: str
    host: str
    port: int
    path: bytes
    address: IPAddress | None

    @property
    def authority(self) -> str:
        """The host and port as in a ``Host`` field (RFC 9110, 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path.decode('ascii')}"

    @property
    def is_localhost(self) -> bool:
        """Whether the host explicitly denotes this machine."""
        if self.address is not None:
            return is_loopback(self.address)
        return self.host == "localhost" or self.host.endswith(".localhost")


def parse_target(url: str) -> Target:
    """Parse `url`.

    Raises:
        FetchRefused: it is not an absolute http(s) URL of reasonable length, or it contains a user name.
    """
    if len(url) > _MAX_URL_LENGTH:
        raise FetchRefused(f"The address is longer than {_MAX_URL_LENGTH} characters.")
    try:
        parsed = httpx.URL(url)
        scheme, port = parsed.scheme, parsed.port
        host = parsed.raw_host.decode("ascii").removesuffix(".")
        path, user = parsed.raw_path, parsed.userinfo
    except (httpx.InvalidURL, ValueError) as error:  # idna's errors and broken encodings are ValueErrors
        raise FetchRefused("The address is not a valid URL.") from error
    if scheme not in _DEFAULT_PORTS:
        raise FetchRefused("Only https addresses are fetched.")
    if user:
        raise FetchRefused("An address with a user name or password in it is not fetched.")
    address = parse_address(host)
    is_name = _HOST_NAME.fullmatch(host) and not _NUMERIC_END.fullmatch(host.rpartition(".")[2])
    if "%" in host or (address is None and not is_name):  # an IPv6 zone (RFC 9844) is local to one machine
        raise FetchRefused("The address has no valid host name.")
    port = _DEFAULT_PORTS[scheme] if port is None else port
    if not 0 < port < 65536:
        raise FetchRefused("The address has no valid port.")
    return Target(scheme, host if address is None else str(address), port, path, address)


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides what may be fetched.

    Attributes:
        ports: the ports that may be connected to.
        allow_loopback_http: for development: also allow this machine, over http or https, on any port.
    """

    ports: Collection[int] = (443,)
    allow_loopback_http: bool = False

    def check_url(self, target: Target, *, came_from: Target | None) -> None:
        """Check a URL before its host is looked up.

        Args:
            came_from: the target that redirected here; None for the first request.

        Raises:
            FetchRefused: the URL may not be fetched.
        """
        if came_from is not None and came_from.scheme == "https" and target.scheme == "http":
            raise FetchRefused("The address redirects from https to http.")
        if not self._may_be_loopback(came_from):
            self._check_public(target)
            if target.is_localhost:
                raise FetchRefused("The address is not on the public Internet.")
        is_name = target.address is None and not target.is_localhost
        if is_name and ("." not in target.host or target.host.endswith(_INTERNAL_SUFFIXES)):
            raise FetchRefused("The address is not on the public Internet.")

    def check_addresses(self, target: Target, addresses: Sequence[IPAddress], *, came_from: Target | None) -> None:
        """Check that every address of the target may be connected to.

        A name with both public and private addresses is an attack or belongs to a private network.

        Raises:
            FetchRefused: the target may not be connected to.
        """
        if not addresses or len(addresses) > _MAX_ADDRESSES:
            raise FetchRefused(f"The host {target.host} has no address, or too many.")
        if self._may_be_loopback(came_from) and all(map(is_loopback, addresses)):
            return
        if not all(map(is_public, addresses)):
            # The message must not name the address, or strangers could use it to map this network.
            raise FetchRefused("The address is not on the public Internet.")
        self._check_public(target)

    def _may_be_loopback(self, came_from: Target | None) -> bool:
        # Even in development, a redirect from the Internet must not lead to this machine.
        return self.allow_loopback_http and (came_from is None or came_from.is_localhost)

    def _check_public(self, target: Target) -> None:
        if target.scheme != "https":
            raise FetchRefused("Only https addresses are fetched.")
        if target.port not in self.ports:
            raise FetchRefused(f"Addresses with port {target.port} are not fetched.")
