"""Can the outside reach us? Asked the way Productboard asks: a probe at our own door, through the public address.

From here that is only a hint: this machine may see an address that the outside does not, and the other way round.
"""

import ipaddress
import secrets
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from keepstep.app.doctor import Finding, Mark

_ABOUT = "public address"
_LIMIT_SECONDS = 5.0


async def examine_address(public_url: str) -> Sequence[Finding]:
    return [_shape(public_url), await _probe(public_url)]


def _shape(public_url: str) -> Finding:
    parts = urlsplit(public_url)
    if _is_local(parts.hostname or ""):
        cure = "Set KEEPSTEP_PUBLIC_URL to an https address that Productboard reaches; for the emulators it is fine."
        return Finding(_ABOUT, Mark.WARNING, f"{public_url} can be reached from this machine only.", cure)
    if parts.scheme != "https":
        cure = "Put a proxy with a certificate before Keepstep and set KEEPSTEP_PUBLIC_URL to https://..."
        return Finding(_ABOUT, Mark.FAILURE, f"{public_url} is not https, which Productboard demands.", cure)
    return Finding(_ABOUT, Mark.OK, f"{public_url} has the right form.")


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _probe(public_url: str) -> Finding:
    word = secrets.token_hex(8)
    url = f"{public_url}/hooks/productboard/doctor/action"
    try:
        local = _is_local(urlsplit(public_url).hostname or "")
        async with httpx.AsyncClient(timeout=_LIMIT_SECONDS, trust_env=not local) as client:
            answer = await client.get(url, params={"validationToken": word})
    except httpx.TransportError as error:
        return _unreachable(public_url, error)
    if answer.status_code == httpx.codes.OK and answer.text == word:
        return Finding("door", Mark.OK, "Our door answers a probe at the public address, as seen from here.")
    message = f"Something else than Keepstep answers under {public_url}/hooks/ (HTTP {answer.status_code})."
    return Finding("door", Mark.FAILURE, message, "Let the proxy pass /hooks/ and /l/ on to Keepstep.")


def _unreachable(public_url: str, error: httpx.TransportError) -> Finding:
    causes = (error, error.__cause__, error.__context__)
    if any(isinstance(each, ssl.SSLError) for each in causes) or "CERTIFICATE" in str(error):
        cure = "Give the proxy a certificate that is valid for this name."
        return Finding("door", Mark.FAILURE, f"{public_url} has no good certificate: {error}", cure)
    cure = "Start `keepstep serve`, check the proxy. It may be fine if this machine cannot see its own public address."
    return Finding("door", Mark.WARNING, f"Nobody answers at {public_url}, as seen from here.", cure)
