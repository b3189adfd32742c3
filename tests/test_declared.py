"""Values compared with annotations."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.declared import complaint, parsed, wanted

SECRET = "geheim"


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        ("str", "a"),
        ("str | None", None),
        ("int | str", 5),
        ("float", 5),
        ("Any", object()),
        ("Own | None", object()),
        ("Mapping[str, Any]", {"a": object()}),
        ("Mapping[str, str | float | Mapping[str, str]]", {"a": {"b": "c"}, "d": 1.5}),
        ("Sequence[str]", ("a", "b")),
        ("str | Sequence[str]", {"a"}),
        ("Sequence[Any] | Mapping[str, Any] | None", [1]),
        ("str | os.PathLike[str]", Path("a")),
        ("str | os.PathLike[str]", "\udc80"),
        ("tuple[int | None, int | None] | None", (None, 5)),
        ("Callable[[list[int]], Any] | None", len),
    ],
)
def test_what_was_declared(annotation: str, value: Any) -> None:
    """A value of one of the types is right; a name that is not known takes everything."""
    assert complaint("name", value, parsed(annotation)) is None


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        ("str", None, "name=None is a NoneType: give text"),
        ("int | str | None", 1.5, "name=1.5 is a float: give a whole number or text, or None"),
        ("int", True, "name=True is a bool: give a whole number"),
        ("bool", "False", "name='False' is a str: give True or False"),
        ("Sequence[str]", "a", "name='a' is a str: give a list"),
        ("str | Sequence[str]", ["a", None], "name[1]=None is a NoneType: give text"),
        ("Mapping[str, str]", {1: SECRET}, "name key 1 is an int: give text"),
        ("Mapping[str, str]", {"a": [SECRET]}, "name['a'] is a list: give text"),
        ("Mapping[str, str]", {"a": SECRET.encode()}, "name['a'] is a bytes: give text"),
        ("Mapping[str, Sequence[str]]", {"a": [SECRET.encode()]}, "name['a'][0] is a bytes: give text"),
        ("Mapping[str, Any] | Sequence[Any]", 987654, "name is an int: give a mapping of names to values or a list"),
        ("Mapping[str, Any]", f"{{'a': '{SECRET}'}}", "name is a str: give a mapping of names to values"),
        ("str", {"a": SECRET}, "name is a dict: give text"),
        ("Callable[..., Any] | None", ("user", SECRET), "name is a tuple: give a function, or None"),
        ("str", "a\udc80", r"name='a\udc80' cannot be written as UTF-8 (surrogates not allowed): remove the character"),
        ("tuple[int, int]", (1,), "name has 1 items: give 2"),
        ("tuple[int, int]", (1, "a"), "name='a' is a str: give a whole number"),
        ("str", b"x" * 200, f"name=b'{'x' * 98}... is a bytes: give text"),
    ],
)
def test_what_was_not(annotation: str, value: Any, text: str) -> None:
    """Any other is named with its type and what to give; texts that may be secret mappings are not shown."""
    assert complaint("name", value, parsed(annotation)) == text


def test_what_may_change_is_taken() -> None:
    """What will be replaced is taken as it is, at any depth."""
    annotation = parsed("Mapping[str, str]")
    assert complaint("name", {"a": 5}, annotation, lambda value: value == 5) is None
    assert complaint("name", 5, annotation, lambda value: value == 5) is None


def test_what_people_read() -> None:
    """Each type has a name for people, once."""
    assert wanted(parsed("str | Sequence[str] | Iterable[str] | None")) == "text or a list, or None"


def test_what_is_right_is_not_shown() -> None:
    """Of a list whose items are right no text is made, and no second list: it may have millions of them."""

    class Unshown(list[tuple[str, str]]):
        def __repr__(self) -> str:
            raise AssertionError("nobody is to see it")

    annotation = parsed("Iterable[tuple[str, str | os.PathLike[str]]]")
    items = Unshown([("key", "path")] * 20_000)
    assert complaint("files", items[:1], annotation) is None  # what is parsed once is kept

    tracemalloc.start()
    try:
        assert complaint("files", items, annotation) is None
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 100_000
