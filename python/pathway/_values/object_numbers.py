"""Numbers of objects that cannot be pickled, and so are equal to themselves alone.

An address would not do: when the object is gone, another may have it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import weakref

from pathway._values.objects import PyObjectWrapper

_PROCESS = os.urandom(16)
_numbers = itertools.count()
_known: dict[int, tuple[weakref.ref[object], bytes]] = {}
_lock = threading.RLock()


def number_of(value: object) -> bytes:
    """The number of an object, or of that in a wrapper: the same while it lives, and of no other of any process.

    An object that allows no weak references gets another number each time.
    """
    if isinstance(value, PyObjectWrapper):
        value = value.value
    address = id(value)
    with _lock:
        known = _known.get(address)
        if known is not None and known[0]() is value:
            return known[1]
        number = _PROCESS + next(_numbers).to_bytes(8, "little")

        def forget(reference: weakref.ref[object]) -> None:
            with _lock:
                current = _known.get(address)
                if current is not None and current[0] is reference:
                    del _known[address]

        with contextlib.suppress(TypeError):
            _known[address] = (weakref.ref(value, forget), number)
        return number
