"""Defaults and examples of columns in what `Schema.to_json_serializable_dict` gives, which JSON can write.

None, numbers, truth values and texts are themselves. Everything else is an object with one member, named after the
kind of the value: `{"bytes": "eA=="}`.
"""

from __future__ import annotations

import base64
import datetime
from typing import Any

from pathway._values.json import Json


def is_plain(value: object) -> bool:
    """Whether JSON gives back just this value."""
    return value is None or type(value) in (bool, int, float, str)


def to_plain(value: Any) -> Any:
    """The value as JSON has it; TypeError if there is no way to write it."""
    if is_plain(value):
        return value
    match value:
        case bytes():
            return {"bytes": base64.b64encode(value).decode()}
        case datetime.datetime():
            return {"datetime": value.isoformat()}
        case datetime.timedelta():
            # Nothing imports pandas before it is needed.
            import pandas as pd

            return {"duration": pd.Timedelta(value).value}
        case Json():
            return {"json": value.value}
        case tuple():
            return {"tuple": [to_plain(item) for item in value]}
        case list():
            return {"list": [to_plain(item) for item in value]}
        case dict() if all(isinstance(name, str) for name in value):
            return {"dict": {name: to_plain(item) for name, item in value.items()}}
    if type(value).__module__ == "numpy" and hasattr(value, "tolist") and value.dtype.kind in "biuf":
        return {"array": value.tolist(), "dtype": str(value.dtype)}
    raise TypeError(f"JSON has no way to write {value!r}")


def from_plain(plain: Any) -> Any:
    """The value that `to_plain` has written; ValueError if it has not."""
    match plain:
        case {"bytes": str(text)}:
            return base64.b64decode(text)
        case {"datetime": str(text)}:
            # Nothing imports pandas before it is needed.
            import pandas as pd

            return pd.Timestamp(text)
        case {"duration": int(nanoseconds)}:
            # Nothing imports pandas before it is needed.
            import pandas as pd

            return pd.Timedelta(nanoseconds)
        case {"json": value}:
            return Json(value)
        case {"tuple": [*items]}:
            return tuple(from_plain(item) for item in items)
        case {"list": [*items]}:
            return [from_plain(item) for item in items]
        case {"dict": dict(members)}:
            return {name: from_plain(item) for name, item in members.items()}
        case {"array": items, "dtype": str(kind)}:
            # Nothing imports numpy before it is needed.
            import numpy as np

            return np.array(items, dtype=kind)
    if is_plain(plain):
        return plain
    raise ValueError(f"this is no value as to_json_serializable_dict() writes it: {plain!r}")
