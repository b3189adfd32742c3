"""Arguments compared with what their functions declare: types only, from the annotations, and cheap enough for DAGs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache, wraps
from inspect import signature
from itertools import chain
from numbers import Integral, Number
from types import FunctionType
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias, TypeVar

Test: TypeAlias = Callable[[Any], bool]


class KnownType(NamedTuple):
    """A type that may stand in an annotation: what belongs to it, and what people call it."""

    holds: Test
    name: str


class Declared(NamedTuple):
    """One alternative of an annotation: ``Mapping[str, int]`` has two declarations of its own, key and value."""

    head: str
    inner: tuple[tuple[Declared, ...], ...] = ()


Annotation: TypeAlias = tuple[Declared, ...]
"""The alternatives that ``|`` separates."""


def _has(*names: str) -> Test:
    return lambda value: all(hasattr(value, name) for name in names)


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | memoryview | Mapping)


def _is_whole(value: Any) -> bool:
    """Numbers of JSON, and of sums of them, may be whole and floats."""
    return isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())


_LIST: Final = KnownType(_is_list, "a list")
KINDS: Final[Mapping[str, KnownType]] = {
    "str": KnownType(lambda value: isinstance(value, str), "text"),
    "bytes": KnownType(lambda value: isinstance(value, bytes | bytearray | memoryview), "bytes"),
    "Buffer": KnownType(lambda value: not isinstance(value, str) and _is_buffer(value), "bytes"),
    "bool": KnownType(lambda value: isinstance(value, bool), "True or False"),
    "int": KnownType(lambda value: _is_whole(value) and not isinstance(value, bool), "a whole number"),
    "float": KnownType(lambda value: isinstance(value, Number) and not isinstance(value, bool), "a number"),
    "None": KnownType(lambda value: value is None, "None"),
    "Mapping": KnownType(lambda value: isinstance(value, Mapping), "a mapping of names to values"),
    "Sequence": _LIST,
    "Collection": _LIST,
    "Iterable": _LIST,
    "tuple": KnownType(lambda value: isinstance(value, tuple | list), "a pair"),
    "timedelta": KnownType(lambda value: isinstance(value, timedelta), "a timedelta"),
    "datetime": KnownType(lambda value: isinstance(value, datetime), "a datetime"),
    "os.PathLike": KnownType(lambda value: isinstance(value, os.PathLike), "a path"),
    "ObjectStoragePath": KnownType(_has("open", "exists"), "an ObjectStoragePath"),
    "Callable": KnownType(lambda value: callable(value) or _has("function")(value), "a function"),
    "ProgressCallback": KnownType(callable, "a function"),
    "CheckpointStore": KnownType(_has("load", "save", "delete"), "an object with load, save and delete"),
    "CheckpointDirectory": KnownType(_has("find", "forget"), "a checkpoint directory"),
    "Cancellation": KnownType(_has("check", "request"), "a Cancellation"),
    "Selection": KnownType(_has("matches"), "a Selection"),
    "CompletedPart": KnownType(_has("number", "etag", "size_bytes"), "what upload_part returns"),
    "Source": KnownType(_has("open"), "a Source"),
    "StreamSource": KnownType(_has("open"), "a StreamSource"),
}
"""What the annotations of this package are made of; any other name, a user's own, takes everything."""

_GONE_THROUGH: Final = (list, tuple, set, frozenset)
"""Lists whose items are looked at here. Others may be gone through only once, or ask Airflow for each item."""
_MOST_SHOWN: Final = 100
_PATHS: Final = frozenset({"os.PathLike", "ObjectStoragePath"})


def _is_buffer(value: Any) -> bool:
    try:
        memoryview(value)
    except TypeError:
        return False
    return True


@cache
def parsed(annotation: str) -> Annotation:
    """Return what an annotation says, but for XComArg, which Airflow replaces before anything looks at the value."""
    return tuple(_alternative(one) for one in _split(annotation, "|") if one != "XComArg")


def _alternative(text: str) -> Declared:
    head, bracket, inner = text.partition("[")
    return Declared(head, tuple(parsed(one) for one in _split(inner[:-1], ","))) if bracket else Declared(head)


def _split(text: str, sign: str) -> Iterator[str]:
    """Yield what the sign separates, outside of brackets."""
    depth = begin = 0
    for index, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == sign and not depth:
            yield text[begin:index].strip()
            begin = index + 1
    yield text[begin:].strip()


@cache
def arguments_of(function: FunctionType) -> Mapping[str, Annotation]:
    """Return the annotations of a function's arguments by name; none for what is no text: a user's own module."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    annotations = function.__annotations__
    return {name: parsed(annotations[name]) for name in names if isinstance(annotations.get(name), str)}


Method = TypeVar("Method", bound=Callable[..., Any])


def checking(method: Method) -> Method:
    """Return the method, which raises OSSInvalidArgument first when an argument is not of the type it declares."""
    function: Any = method
    declared = arguments_of(function)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = signature(function).parameters

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        for name, value in chain(zip(names, args, strict=False), kwargs.items()):
            annotation = declared.get(name)
            if annotation is None or value is defaults[name].default:
                continue
            if text := complaint(name, value, annotation):
                refuse(text)
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]  # it is called as the method is


def takes(annotation: Annotation, head: str) -> bool:
    """Whether a value of this type may be given."""
    return any(one.head in {head, "Any"} for one in annotation)


def complaint(
    name: str, value: Any, annotation: Annotation, may_change: Test = lambda _: False, *, is_secret: bool = False
) -> str | None:
    """
    Return why a value is not what was declared, what it is, and what to give; None when it is right.

    Nothing is shown of mappings and of what they hold, which may be secret. What ``may_change`` is taken as it is.
    """
    if may_change(value):
        return None
    fitting = [one for one in annotation if _holds(one.head, value)]
    is_secret = is_secret or _may_be_secret(value, annotation)
    if not fitting:
        return f"{_named(name, value, is_secret=is_secret)} {_is(value)}: give {wanted(annotation)}"
    if isinstance(value, str) and not value.isascii() and _PATHS.isdisjoint(one.head for one in annotation):
        return _not_utf8(_named(name, value, is_secret=is_secret), value)
    inner = [list(_complaints_within(name, value, one, may_change, is_secret=is_secret)) for one in fitting]
    return None if not all(inner) else inner[0][0]


def wanted(annotation: Annotation) -> str:
    """Return what may be given, for people."""
    names = dict.fromkeys(KINDS[one.head].name for one in annotation if one.head in KINDS)
    text = " or ".join(name for name in names if name != "None")
    return f"{text}, or None" if "None" in names else text


def _holds(head: str, value: Any) -> bool:
    kind = KINDS.get(head)
    return kind is None or kind.holds(value)


def _may_be_secret(value: Any, annotation: Annotation) -> bool:
    """Whether it may be, or have in it, what a mapping holds, such as a header, data, or a login in place of code."""
    if value is None:
        return False
    heads = {one.head for one in annotation}
    is_data, is_code = not heads.isdisjoint({"bytes", "Buffer"}), heads <= {"Callable", "None"}
    may_be = (is_data or is_code) and not isinstance(value, Number)
    return may_be or isinstance(value, Mapping) or "Mapping" in heads


def _not_utf8(named: str, value: str) -> str | None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return f"{named} cannot be written as UTF-8 ({error.reason}): remove the character"
    return None


def _named(name: str, value: Any, *, is_secret: bool) -> str:
    """Return the argument with what was given. Only for a complaint: the repr of a long list takes much memory."""
    return name if is_secret else f"{name}={_short(value)}"


def _short(value: Any) -> str:
    shown = repr(value[: _MOST_SHOWN + 1] if isinstance(value, str | bytes | bytearray) else value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."


def _complaints_within(
    name: str, value: Any, declared: Declared, may_change: Test, *, is_secret: bool
) -> Iterator[str]:
    inner = declared.inner
    if declared.head == "Mapping" and inner:
        wrong = next((key for key in value if not any(_holds(one.head, key) for one in inner[0])), inner)
        if wrong is not inner:
            yield f"{name} key {wrong!r} {_is(wrong)}: give {wanted(inner[0])}"
        items = ((f"{name}[{key!r}]", item, inner[1]) for key, item in value.items())
    elif declared.head == "tuple" and len(value) != len(inner):
        yield f"{name} has {len(value)} items: give {len(inner)}"
        return
    elif declared.head == "tuple":
        items = ((name, item, one) for item, one in zip(value, inner, strict=True))
    elif inner and isinstance(value, _GONE_THROUGH):
        items = ((f"{name}[{index}]", item, inner[0]) for index, item in enumerate(value))
    else:
        return
    yield from filter(None, (complaint(*item, may_change, is_secret=is_secret) for item in items))


def _is(value: Any) -> str:
    """Return ``is an int``. What says so is imported now: a DAG file in which nothing is wrong does not need it."""
    from airflow_provider_oss.shown import a_type  # noqa: PLC0415 - see above

    return f"is {a_type(value)}"


def refuse(text: str) -> NoReturn:
    """Raise OSSInvalidArgument, which is imported now: a DAG file does not need it."""
    from airflow_provider_oss.exceptions import OSSInvalidArgument  # noqa: PLC0415 - see above

    raise OSSInvalidArgument(text)
