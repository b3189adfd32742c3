"""How text from outside is shown to people: keys, names of files, what servers say. One line, and nothing hidden."""

from __future__ import annotations

import logging
import os
import re
from typing import Any, Final

from typing_extensions import override

_NOT_SHOWN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, what ends a line or turns its direction, and what is no UTF-8."""
MOST_NAMED: Final = 10
"""Of many, in a result or an error: the log has more."""
_MOST_CHARS: Final = 1024
"""As long as a key may be."""


def printable(text: str) -> str:
    """Return the text with backslash escapes for what would end its line, hide what it says, or be no UTF-8."""
    return _NOT_SHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shortened(text: str, most: int = _MOST_CHARS) -> str:
    """Return the text; of a longer one its beginning, and how long it is."""
    return text if len(text) <= most else f"{text[:most]}... (cut off, it has {len(text)} characters)"


def host_name() -> str:
    """Return the name of this machine, or container: of several workers, the one on which this is."""
    return os.uname().nodename


def a_type(value: object) -> str:
    """Return what a value is, with its article: ``an int``."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


class Log(logging.LoggerAdapter[logging.Logger]):
    """The log of a module: what it is given is shown as ``printable`` does, so that an event is one line."""

    def __init__(self, name: str) -> None:
        super().__init__(logging.getLogger(name))

    @override
    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        if self.isEnabledFor(level):
            shown = (arg if isinstance(arg, int | float) else printable(str(arg)) for arg in args)
            self.logger.log(level, msg, *shown, stacklevel=2, **kwargs)
