"""Which files a user's globs mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.globs import Selection, has_wildcard, key_matcher, literal_prefix

PATHS = [
    "a.csv",
    "A.CSV",
    ".hidden.csv",
    "b.txt",
    "logs",
    "logs/x.log",
    "logs/2026/y.log",
    "logs/2026/11/z.csv",
    "data/a.csv",
    "data/logs/a.csv",
    "data/[1].csv",
    "data/two\nlines.csv",
]


def meant(include: Any = None, exclude: Any = None) -> list[str]:
    selection = Selection(include, exclude)
    return [path for path in PATHS if selection.matches(path)]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*.csv", ["a.csv", ".hidden.csv"]),
        ("?.csv", ["a.csv"]),
        ("**/*.csv", [path for path in PATHS if path.endswith(".csv")]),
        ("**", PATHS),
        ("*", ["a.csv", "A.CSV", ".hidden.csv", "b.txt", "logs"]),
        ("*/*", ["logs/x.log", "data/a.csv", "data/[1].csv", "data/two\nlines.csv"]),
        ("logs", ["logs"]),
        ("logs/**", ["logs/x.log", "logs/2026/y.log", "logs/2026/11/z.csv"]),
        ("logs/*", ["logs/x.log"]),
        ("logs/**/*.csv", ["logs/2026/11/z.csv"]),
        ("**/logs/**", ["logs/x.log", "logs/2026/y.log", "logs/2026/11/z.csv", "data/logs/a.csv"]),
        ("**/2026/**/*", ["logs/2026/y.log", "logs/2026/11/z.csv"]),
        ("logs/**/**/z.csv", ["logs/2026/11/z.csv"]),
        ("data/[[]1].csv", ["data/[1].csv"]),
        ("data/[!a[]*.csv", ["data/two\nlines.csv"]),
        ("[ab].*", ["a.csv", "b.txt"]),
        ("data/two?lines.csv", ["data/two\nlines.csv"]),
        ("nothing", []),
    ],
)
def test_one_glob(glob: str, expected: list[str]) -> None:
    """A glob is compared with the whole relative path: its stars stop at a slash, but for ``**``."""
    assert meant(glob) == expected
    assert meant([glob]) == expected
    assert meant(exclude=glob) == [path for path in PATHS if path not in expected]


def test_exclude_goes_before_include() -> None:
    """A file is meant when any glob of ``include`` and none of ``exclude`` names it; no glob at all includes none."""
    assert meant(["*.csv", "logs/**"], ["**/2026/**", "a.*"]) == [".hidden.csv", "logs/x.log"]
    assert meant([]) == []
    assert meant(None, []) == PATHS


@pytest.mark.parametrize(
    ("glob", "reason"),
    [
        ("/abs/*.csv", "begin nor end with a slash"),
        ("logs/", r"write 'logs/\*\*'"),
        ("a//b", "can match nothing"),
        ("./a", "can match nothing"),
        ("../a", "can match nothing"),
        ("", "can match nothing"),
        ("a/**.csv", r"\*\* within the component '\*\*.csv'"),
        (7, "is an int: give globs as text"),
    ],
)
def test_globs_that_mean_nothing(glob: Any, reason: str) -> None:
    """A glob that can match no path is an error that names the argument, the glob and the remedy."""
    with pytest.raises(OSSInvalidArgument, match=reason) as caught:
        Selection(exclude=[glob])
    assert f"{glob!r}" in str(caught.value)
    assert str(caught.value).startswith("exclude")


@pytest.mark.parametrize(
    ("include", "exclude", "entered"),
    [
        (None, None, ["logs", "logs/2026", "data"]),
        (None, ["logs/**"], ["data"]),
        (None, ["**/2026/**"], ["logs", "data"]),
        (None, ["logs/2026/*"], ["logs", "logs/2026", "data"]),
        (["*.csv"], None, []),
        (["data/*.csv"], None, ["data"]),
        (["**/*.csv"], None, ["logs", "logs/2026", "data"]),
        (["logs/*/x"], None, ["logs", "logs/2026"]),
        (["logs/**"], ["logs/2026/**"], ["logs"]),
    ],
)
def test_directories_that_need_not_be_read(include: Any, exclude: Any, entered: list[str]) -> None:
    """A directory is left alone when no file in it or below can be meant."""
    selection = Selection(include, exclude)
    assert [name for name in ("logs", "logs/2026", "data") if selection.may_match_below(name)] == entered


components = st.sampled_from(["a", "b", "*", "**", "?"])


@given(glob=st.lists(components, min_size=1, max_size=4), path=st.lists(st.sampled_from("abc"), min_size=1, max_size=5))
def test_what_is_meant_is_found(glob: list[str], path: list[str]) -> None:
    """No directory above a file that is meant is passed over, and ``**`` is any number of components."""
    selection = Selection("/".join(glob))
    is_meant = selection.matches("/".join(path))
    assert is_meant == _matches(glob, path)
    if is_meant:
        assert all(selection.may_match_below("/".join(path[:depth])) for depth in range(1, len(path)))
    if Selection(exclude="/".join(glob)).matches("/".join(path)):
        assert not is_meant


def _matches(glob: list[str], path: list[str]) -> bool:
    """Say the same by trying everything."""
    if not glob:
        return not path
    if glob[0] == "**":
        least = 1 if len(glob) == 1 else 0
        return any(_matches(glob[1:], path[taken:]) for taken in range(least, len(path) + 1))
    return bool(path) and glob[0] in {"*", "?", path[0]} and _matches(glob[1:], path[1:])


@pytest.mark.parametrize(
    ("glob", "prefix"),
    [("logs/2026-*/a.csv", "logs/2026-"), ("a?.csv", "a"), ("a/[!b]*", "a/"), ("**/a", ""), ("a/b#c.csv", "a/b#c.csv")],
)
def test_what_all_names_begin_with(glob: str, prefix: str) -> None:
    """The text before the first wildcard bounds what has to be looked at; without any it is all of the name."""
    assert literal_prefix(glob) == prefix
    assert has_wildcard(glob) is (prefix != glob)


@pytest.mark.parametrize(("glob", "key"), [("a//*.csv", "a//b.csv"), ("a/*/", "a/b/"), ("a/**", "a/"), ("./*", "./a")])
def test_keys_may_have_empty_components(glob: str, key: str) -> None:
    """What no path of a file has, a key may have, and a glob for it."""
    assert key_matcher(glob)(key)
    assert not key_matcher(glob)(f"b{key}")


@given(st.lists(st.text("ab*?", min_size=1, max_size=3), min_size=1, max_size=4), st.sampled_from(PATHS))
def test_keys_match_as_paths_do(components: list[str], path: str) -> None:
    """Of a key that could be a path a glob means the same as of the path."""
    glob = "/".join(component.replace("**", "*") for component in components)
    assert key_matcher(glob)(path) is Selection(glob).matches(path)
