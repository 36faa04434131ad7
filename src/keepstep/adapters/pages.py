"""Signed addresses of Links: short, without a login, not to be guessed; valid as long as their key is among ours."""

from collections.abc import Sequence

from itsdangerous import BadData, Signer, base64_decode, base64_encode

from keepstep.domain.ids import LinkId

_ID_LENGTH = 32


class SignedLinkPages:
    """Implements keepstep.ports.pages.LinkPages. `keys`: the first one signs, all of them are good."""

    def __init__(self, public_url: str, keys: Sequence[bytes]) -> None:
        self._public_url = public_url
        # itsdangerous signs with the last key and takes the others as older ones.
        self._signer = Signer(list(reversed(keys)), salt="keepstep.link-page", key_derivation="hmac")

    def address(self, link: LinkId) -> str:
        return f"{self._public_url}/l/{self._signer.sign(link.encode()).decode()}"

    def read(self, signed: str) -> LinkId | None:
        try:
            value = self._signer.unsign(signed.encode()).decode("ascii", "replace")
            if not _is_as_written(signed.rpartition(".")[2]):
                return None
        except BadData:
            return None
        return LinkId(value) if len(value) == _ID_LENGTH else None


def _is_as_written(signature: str) -> bool:
    """Reading base64 passes over foreign characters and unused bits: one signature shall have one form."""
    return base64_encode(base64_decode(signature)) == signature.encode()
