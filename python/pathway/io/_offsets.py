"""Offsets of subjects as bytes, and back: JSON values, and bytes, which stay what they are."""

from __future__ import annotations

import json

_BYTES = b"b"
_JSON = b"j"


def encoded(offset: object) -> bytes:
    """An offset as it is kept. Called by the native half.

    Raises:
        TypeError: it is neither a JSON value nor bytes.
    """
    if isinstance(offset, (bytes, bytearray, memoryview)):
        return _BYTES + bytes(offset)
    try:
        text = json.dumps(offset, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"an offset is a JSON value or bytes, found {offset!r}: {error}") from None
    if json.loads(text) != offset:
        raise TypeError(
            f"an offset is a JSON value or bytes, found {offset!r}: after a restart it would be {json.loads(text)!r}"
        )
    return _JSON + text.encode()


def decoded(kept: bytes) -> object:
    """The offset that was kept."""
    content = kept[1:]
    return content if kept[:1] == _BYTES else json.loads(content)
