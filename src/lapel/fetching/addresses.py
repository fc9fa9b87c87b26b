"""The IP addresses that may be connected to: those of ordinary hosts on the public Internet."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["IPAddress", "is_loopback", "is_public", "parse_address"]

IPAddress = IPv4Address | IPv6Address

# Python's own `is_global` changes between patch releases, so Lapel has its own tables.
# IANA IPv4 Special-Purpose Address Registry, with multicast, and one address that only exists inside a cloud.
_REFUSED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network, unspecified
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared address space of carriers (RFC 6598)
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # Azure's host agent: a public number that answers inside the cloud only
            "169.254.0.0/16",  # link-local, the clouds' metadata services
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # IETF protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, broadcast
        ),
    )
)

# Contains all global unicast IPv6 assigned today (IANA IPv6 Global Unicast Address Assignments). Everything outside
# is unspecified, loopback, IPv4-mapped or -compatible, unique local, link-local, multicast or reserved.
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: retired (RFC 7526), and it carries an IPv4 address
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation (RFC 9637)
        ),
    )
)
# A network without IPv4 reaches IPv4 hosts under this prefix (RFC 6052), so the embedded address is checked.
_NAT64 = IPv6Network("64:ff9b::/96")


def parse_address(text: str) -> IPAddress | None:
    """Parse an address in canonical notation, or return None, as for ``127.1`` and ``0x7f.1``."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_loopback(address: IPAddress) -> bool:
    """Return whether the address is in 127.0.0.0/8 or is ::1."""
    return address.is_loopback and not _has_zone(address)


def is_public(address: IPAddress) -> bool:
    """Return whether the address is that of an ordinary host on the public Internet."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if _has_zone(address):
        return False
    if address in _NAT64:
        return is_public(IPv4Address(address.packed[-4:]))
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def _has_zone(address: IPAddress) -> bool:
    return isinstance(address, IPv6Address) and address.scope_id is not None
