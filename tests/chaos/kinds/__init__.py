"""The kinds of transfers, one module for each: how it is run, and what is right. ``KINDS`` has all that are here."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Final

from tests.chaos.transfers import Transfer


def _found() -> Iterator[type[Transfer]]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        for value in vars(import_module(module.name)).values():
            is_own = isinstance(value, type) and value.__module__ == module.name
            if is_own and issubclass(value, Transfer) and not inspect.isabstract(value):
                yield value


KINDS: Final = tuple(_found())
