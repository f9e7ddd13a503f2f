"""How a csv file is written, for the readers."""

from __future__ import annotations

import dataclasses

from pathway._ground import arguments


@arguments.explained_class
@dataclasses.dataclass(frozen=True, slots=True)
class CsvParserSettings:
    """How the fields of a csv file are separated and quoted.

    Args:
        delimiter: the character between fields.
        quote: the character around fields that hold delimiters, quotes or line ends.
        escape: a character that takes the meaning from the next one.
        enable_double_quote_escapes: whether two quotes inside a quoted field mean one.
        enable_quoting: whether quotes mean anything.
        comment_character: a line that begins with it is left out.

    Example:

    >>> import pathway as pw
    >>> pw.io.CsvParserSettings(delimiter=";").delimiter
    ';'
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    enable_double_quote_escapes: bool = True
    enable_quoting: bool = True
    comment_character: str | None = None

    def __post_init__(self) -> None:
        for name in ("delimiter", "quote", "escape", "comment_character"):
            value = getattr(self, name)
            if value is None and name in ("escape", "comment_character"):
                continue
            if not isinstance(value, str) or len(value.encode()) != 1:
                raise ValueError(f"{name} of CsvParserSettings has to be one ASCII character, found {value!r}")

    def _native(self) -> dict[str, object]:
        return {
            "delimiter": self.delimiter,
            "quote": self.quote,
            "escape": self.escape,
            "double_quote_escapes": self.enable_double_quote_escapes,
            "quoting": self.enable_quoting,
            "comment": self.comment_character,
        }
