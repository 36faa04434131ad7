"""Text formats: one reader and one writer for each way in which a side writes its descriptions."""

from typing import Protocol

from keepstep.domain.document import Document


class TextFormat(Protocol):
    """Laws, for every document d in normal form and every text t:

    - read(write(d)) equals d, up to the losses that `docs/text.md` lists for the format;
    - write(read(write(d))) equals write(d): the second round changes nothing;
    - both take time in proportion to the length of what they are given.
    """

    @property
    def name(self) -> str:
        """Marks the sources of what this format has read; two dialects have two names."""

    def read(self, text: str) -> Document:
        """In normal form, each top-level block with its source where that can stand alone. Raises nothing."""

    def write(self, document: Document) -> str:
        """A block with a source of this format is written as it was read, every other one anew. Raises nothing."""
