"""Key-encryption keys: from the setting KEEPSTEP_SECRET_KEYS, or from a key file that is made on the first start.

The setting is `id:base64 of 32 bytes`, several separated by commas: the first one seals, all of them open. To rotate,
put a new key in front, let `keepstep reseal` wrap everything anew, then drop the old one. The key file has the
same form, so its line can be moved into the setting.
"""

import base64
import binascii
import contextlib
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keepstep.domain.errors import InvalidInputError

KEY_BYTES = 32
KEY_FILE = "secret.key"
_SETTING = "KEEPSTEP_SECRET_KEYS"
_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")
_FORM = f"write it as id:base64 of {KEY_BYTES} bytes"


@dataclass(frozen=True, slots=True)
class Keys:
    first: str
    """Id of the key that seals."""
    by_id: Mapping[str, bytes] = field(repr=False)


def keys_from_setting(text: str, source: str = _SETTING) -> Keys:
    """Raises InvalidInputError, which names the setting and the entry, never a key."""
    found: dict[str, bytes] = {}
    for number, entry in enumerate(text.split(","), start=1):
        name, colon, encoded = entry.strip().partition(":")
        if not colon or not _ID.fullmatch(name):
            # What stands before the colon may be the key itself: it is not repeated.
            raise _invalid(source, f"entry {number} has no usable id: {_FORM}.")
        if name in found:
            raise _invalid(source, f"the id {name} stands there twice.")
        found[name] = _key(encoded, f"entry {number} ({name})", source)
    return Keys(next(iter(found)), found)


def _key(encoded: str, entry: str, source: str) -> bytes:
    """Both alphabets of base64 are taken, with or without padding."""
    standard = encoded.strip().rstrip("=").replace("-", "+").replace("_", "/")
    try:
        key = base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except binascii.Error:
        raise _invalid(source, f"{entry} is not base64: {_FORM}.") from None
    if len(key) != KEY_BYTES:
        raise _invalid(source, f"{entry} has {len(key)} bytes instead of {KEY_BYTES}.")
    return key


def _invalid(source: str, message: str) -> InvalidInputError:
    return InvalidInputError(source, f"{source}: {message}")


def new_key_line() -> str:
    """The random part of the id tells a new file from a lost one."""
    key = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return f"local-{secrets.token_hex(3)}:{key}"


def load_or_make_key_file(data_dir: Path) -> Keys:
    """Processes that start at once get the same key. Raises InvalidInputError when others may read the file."""
    path = data_dir / KEY_FILE
    if not path.exists():
        _make(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise _invalid(
            str(path),
            f"other users may read or change this key file (mode {mode:04o}): chmod 600 it. If they may have read it, "
            f"make a new key and put it in front of this one in {_SETTING}.",
        )
    return keys_from_setting(path.read_text(encoding="ascii", errors="replace"), str(path))


def _make(path: Path) -> None:
    """Whole before it appears, and never replacing another process's: a link fails where a file exists."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(new_key_line() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
