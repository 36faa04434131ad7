"""Addresses of our own that leave the house: the read-only page of a Link."""

from typing import Protocol

from keepstep.domain.ids import LinkId


class LinkPages(Protocol):
    def address(self, link: LinkId) -> str:
        """Signed, so that it opens without a login and cannot be guessed."""

    def read(self, signed: str) -> LinkId | None:
        """None when the signature is not ours."""
