"""What the logger of the package says is fit to be shown, wherever its parts come from."""

from __future__ import annotations

import logging

from pathway._ground.shown import of_error, shown


class _Showing(logging.Filter):
    """Makes the parts of messages fit to be shown."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_part(part) for part in record.args)
        return True


def _part(part: object) -> object:
    if isinstance(part, (int, float)):
        return part
    if isinstance(part, BaseException):
        return of_error(part).partition(": ")[2]
    try:
        return shown(str(part))
    except Exception:
        return f"<{type(part).__name__}>"


def install() -> None:
    """From now on, what the logger of the package says is fit to be shown."""
    logger = logging.getLogger("pathway")
    if not any(isinstance(each, _Showing) for each in logger.filters):
        logger.addFilter(_Showing())
