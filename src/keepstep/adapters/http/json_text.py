"""JSON from outside, in texts that can be stored and sent on."""

import json
import re
from typing import Any

_PERHAPS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""Both can only come as escapes: a bare NUL is no JSON, a bare half of a pair no UTF-8."""
_UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
_INSTEAD = "\ufffd"


def parsed_json(body: bytes) -> Any:
    """U+0000 and halves of surrogate pairs come as U+FFFD: no database, tracker or page could take them.

    Raises ValueError or RecursionError for what is no JSON.
    """
    text = body.decode("utf-8-sig")
    content = json.loads(text)
    return _kept(content) if _PERHAPS.search(text) else content


def _kept(content: Any) -> Any:
    match content:
        case str():
            return _UNKEEPABLE.sub(_INSTEAD, content)
        case list():
            return [_kept(each) for each in content]
        case dict():
            return {_kept(name): _kept(value) for name, value in content.items()}
        case _:
            return content
