"""Which addresses Keepstep may call with a credential, and what a credential looks like.

A base URL is checked when it is entered, by its text, and again when the connection stands, by the address it really
leads to and before a byte is sent: a name may point elsewhere by then. Link-local and metadata addresses are never
called; private ones only where the setting allows it, since trackers often live behind the same firewall.
"""

import ipaddress
from collections.abc import Iterable
from functools import cache
from ssl import SSLContext

import httpcore
import httpx

from keepstep.domain.errors import InvalidInputError

_METADATA_NAMES = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
)
_METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(each)
    for each in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LONGEST_TOKEN = 4096
_PRIVATE = "private addresses are switched off in the settings of this installation"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def checked_base_url(text: str, *, allow_private: bool) -> str:
    """The address without a slash at the end. Raises InvalidInputError, which never repeats a password."""
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise _refused("This is not an address. Enter it like https://gitlab.example.com.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise _refused("The address has to begin with https:// (or http://) and name a host.")
    if url.userinfo:
        raise _refused("Leave user name and password out of the address; the token has a field of its own.")
    if url.query or url.fragment:
        raise _refused("Enter the address without anything after ? or #.")
    host = url.host.rstrip(".").lower()
    reason = refusal(host, allow_private=allow_private)
    if reason:
        raise _refused(f"{host} is not called: {reason}.")
    return str(url).rstrip("/")


def checked_token(text: str) -> str:
    """The token without blanks around it. Raises InvalidInputError, which never repeats it."""
    token = text.strip()
    if not token:
        raise InvalidInputError("token", "Paste a token.")
    if token[0] in "\"'`" or not all("!" <= char <= "~" for char in token) or len(token) > _LONGEST_TOKEN:
        raise InvalidInputError(
            "token",
            "A token is one line of plain characters. Paste it alone: no quotes, blanks or line feeds.",
        )
    return token


def refusal(host: str, *, allow_private: bool) -> str:
    """Why this host (a name or an address) is not called; "" when it may be."""
    if host in _METADATA_NAMES:
        return "it is where a cloud keeps its machines' credentials"
    try:
        address: Address = ipaddress.ip_address(host)
    except ValueError:
        if not allow_private and (host == "localhost" or host.endswith(".localhost")):
            return _PRIVATE
        return ""
    return _address_refusal(_unwrapped(address), allow_private=allow_private)


def _address_refusal(address: Address, *, allow_private: bool) -> str:
    if address in _METADATA_ADDRESSES:
        return "it is where a cloud keeps its machines' credentials"
    if address.is_link_local:
        return "link-local addresses are never right for a service"
    if address.is_unspecified or address.is_multicast:
        return "it is not the address of one machine"
    if not address.is_global and not allow_private:
        return _PRIVATE
    return ""


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside the IPv6 forms that lead to one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _refused(message: str) -> InvalidInputError:
    return InvalidInputError("base_url", message)


class AddressRefused(httpcore.ConnectError):
    """The name led to an address that is not called."""


class _GuardedBackend(httpcore.AnyIOBackend):
    """Looks at the address that the connection really has, before anything is sent over it."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await super().connect_tcp(host, port, timeout, local_address, socket_options)
        peer = stream.get_extra_info("server_addr")
        reason = refusal(str(peer[0]), allow_private=self._allow_private)
        if reason:
            await stream.aclose()
            raise AddressRefused(f"{host} leads to {peer[0]}, which is not called: {reason}")
        return stream


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport over connections that were checked; proxies of the environment are not used."""

    def __init__(self, *, allow_private: bool, limits: httpx.Limits) -> None:
        super().__init__(verify=_ssl_context(), limits=limits)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_GuardedBackend(allow_private=allow_private),
        )


@cache
def _ssl_context() -> SSLContext:
    """One for all clients: loading the authorities takes tens of milliseconds and a few megabytes."""
    return httpx.create_ssl_context()
