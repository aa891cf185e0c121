"""Where a request may go: to the hosts that the settings name, and never to addresses that a feed has no business at.

Names are not trusted: each connection looks at the addresses that its name has right now, and connects to one of those and to no
other, so that a name which changes between the look and the connection (DNS rebinding) gains nothing. Behind a proxy it is the
proxy that looks names up; there only addresses written in the URL can be judged here.
"""

import ipaddress
import socket
from collections.abc import Collection
from typing import Any
from urllib.parse import SplitResult, urlsplit

from requests.adapters import HTTPAdapter
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from forecasting.errors import SourceError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

FORBIDDEN = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local; the metadata of most clouds, with credentials in it
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS over IPv6
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure
        "224.0.0.0/4",
        "ff00::/8",
    )
)
"""Nobody's feed is here, whatever the settings say."""
WITH_IPV4_INSIDE = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
"""Beside the IPv4-mapped addresses: NAT64, and the old IPv4-compatible ones."""
PORTS = {"http": 80, "https": 443}


class Forbidden(SourceError):  # noqa: N818 - a state that callers treat apart
    """A place that the settings do not allow."""


def plain_address(text: str) -> Address | None:
    """The address that a text writes, unwrapped from the forms of IPv6 that hold one of IPv4; None for a name."""
    try:
        address: Address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and int(address) > 1 and any(address in network for network in WITH_IPV4_INSIDE):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return inner or address
    return address


def require_address(host: str, found: str, private_hosts: Collection[str]) -> None:
    """Refuse an address that a host has.

    Private addresses and loopback are for a host that is written as an address or as localhost, and for the names of
    `private_hosts`: a feed on the internet that suddenly lies in this network is an attack.

    Raises:
        Forbidden: it is link-local, a metadata service, or private without leave.
    """
    address, name = plain_address(found), bare(host)
    if address is None:
        raise Forbidden(f"{host} leads to {found}, which is no address", "check the URL")
    if any(address.version == network.version and address in network for network in FORBIDDEN):
        raise Forbidden(f"{host} leads to {found}, where no feed is", "check the URL, and this machine's name service")
    is_named = plain_address(name) is not None or name == "localhost" or name in {bare(given) for given in private_hosts}
    if not address.is_global and not is_named:
        raise Forbidden(
            f"{host} leads to {found}, which is an address of this network",
            f'if the feed is meant to be here, say so in fortnight.toml: [web] private_hosts = ["{name}"]',
        )


def require_redirect(before: str, after: str, redirect_hosts: Collection[str]) -> None:
    """Refuse a redirect that leaves the host which was asked: another host or another port, unless `redirect_hosts` has the host.

    `www.` in front of the same name is the same host, and https on its own port is the same as http on its own.

    Raises:
        Forbidden: it leads elsewhere.
    """
    old, new = urlsplit(before), urlsplit(after)
    host = bare(new.hostname or "")
    is_same = host.removeprefix("www.") == bare(old.hostname or "").removeprefix("www.") and _same_port(old, new)
    if not is_same and host not in {bare(given) for given in redirect_hosts}:
        where = host if host != bare(old.hostname or "") else f"another port of it, {_port(new)}"
        raise Forbidden(
            f"{old.hostname} leads on to {where}",
            f'give the address where the data is, or, if you trust it: [web] redirect_hosts = ["{host}"] in fortnight.toml',
        )


def bare(host: str) -> str:
    """A host as names are compared: small letters, no brackets, no dot at the end."""
    return host.strip("[]").rstrip(".").lower()


def _port(parts: SplitResult) -> int | None:
    return parts.port or PORTS.get(parts.scheme)


def _same_port(old: SplitResult, new: SplitResult) -> bool:
    own = _port(old) == PORTS.get(old.scheme) and _port(new) == PORTS.get(new.scheme)
    return own or _port(old) == _port(new)


class _Looking(HTTPConnection):
    """Connects to an address that was looked at, not to a name."""

    private_hosts: Collection[str] = ()

    def _new_conn(self) -> socket.socket:
        name = self._dns_host
        try:
            found = socket.getaddrinfo(name, self.port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            told = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise exceptions.NameResolutionError(self.host, self, told) from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        for address in addresses:
            require_address(self.host, address, self.private_hosts)
        for number, address in enumerate(addresses, start=1):
            self._dns_host = address
            try:
                return super()._new_conn()
            except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError):
                if number == len(addresses):
                    raise
            finally:
                self._dns_host = name  # certificates and the Host header are about the name
        raise AssertionError("a name without an address was resolved")


class _LookingTls(_Looking, HTTPSConnection):
    pass


class GuardedAdapter(HTTPAdapter):
    """Connections that look at the address before they connect."""

    def __init__(self, private_hosts: Collection[str], **more: Any) -> None:
        self.private_hosts = tuple(private_hosts)
        super().__init__(**more)

    def init_poolmanager(self, *arguments: Any, **more: Any) -> None:
        super().init_poolmanager(*arguments, **more)
        told = {"private_hosts": self.private_hosts}
        plain, tls = type("Plain", (_Looking,), told), type("Tls", (_LookingTls,), told)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("TlsPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
