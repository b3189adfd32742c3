"""The measuring program: it reads packages as they are, and runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import __main__ as house
from tests.house.package import Package
from tests.house.sizes import function_sizes
from tests.house.upload import CASES

MODULE = """
import os.path
from airflow_provider_oss import limits, uri
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import oss2
def function():
    from airflow_provider_oss.hooks.oss import OSSHook
    class Inner:
        import urllib3
"""

FUNCTIONS = '''
def short(): return 1


@decorated
def long(
    argument,
):
    """
    Say what it does.

    And more.
    """
    first = argument

    def inner():
        return first  # a comment

    return inner
'''


def package(folder: Path, **modules: str) -> Package:
    """Make a package of these modules; two underscores stand for a dot."""
    for name, text in {"__init__": "", **modules}.items():
        path = folder / "__init__.py" if name == "__init__" else folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Package.at(folder)


def test_imports_are_found(tmp_path: Path) -> None:
    """The reader of imports sees each of them, wherever it stands."""
    modules = {"module": MODULE, "limits": "", "uri": "", "hooks__oss": ""}
    found = package(tmp_path / "airflow_provider_oss", **modules).imports("module")
    assert [(one.target, one.only_for_types, one.inside_function) for one in found] == [
        ("os", False, False),
        ("limits", False, False),
        ("uri", False, False),
        ("typing", False, False),
        ("oss2", True, False),
        ("hooks.oss", False, True),
        ("urllib3", False, True),
    ]


def test_relative_imports(tmp_path: Path) -> None:
    """A relative import leads where it does, from a module and from one of a package below."""
    made = package(tmp_path / "other", a="from . import b", b="", c__d="from ..a import x\nfrom . import e", c__e="")
    assert [one.target for one in made.imports("a")] == ["b"]
    assert [(one.target, one.is_relative) for one in made.imports("c.d")] == [("a", True), ("c.e", True)]


def test_the_longest_chain(tmp_path: Path) -> None:
    """It follows imports in functions, not those for types, ends in a circle, and leaves the local server out."""
    made = package(
        tmp_path / "other",
        a="def f():\n    from other import b",
        b="import other.c",
        c="from other.a import f\nif TYPE_CHECKING:\n    import other.d",
        d="",
        emulator__a="import other.a",
    )
    assert made.chain() == ["a", "b", "c"]


def test_sizes_of_functions() -> None:
    """Neither docstring nor blank lines count, nor decorators; what a function has in itself does."""
    assert sorted(function_sizes(FUNCTIONS)) == [1, 2, 7]


def test_another_package(tmp_path: Path) -> None:
    """A package of others has its row and its chain, and no uploads; what is none is an error."""
    made = package(tmp_path / "other", a="import other.b\n", b="def f():\n    pass\n")
    first, second = house.report([made])
    assert first.splitlines()[2] == f"| {tmp_path / 'other'} | 3 | 3 | 2/2/2 | 2/2/2/2 | 0.0% | 2 |"
    assert second.endswith("a > b")
    with pytest.raises(ValueError, match="neither a package nor a checkout"):
        Package.at(tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_uploads_are_followed(case: str) -> None:
    """Each case goes from the operator through hook, engine and client to the wire, in more than a few functions."""
    name, files, functions, deepest = house.followed(Package.at(house.HERE), case)
    assert name == case
    assert 10 < int(deepest) < int(files) < int(functions)
