"""What may be stored with an object, and where an upload id is kept, is said wherever people read of it."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from airflow_provider_oss.checkpoint.choice import NAMES as STORES
from airflow_provider_oss.engine.copy import Copy
from airflow_provider_oss.fs.filesystem import OSSFileSystem
from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.operators.base import OSSUploadBaseOperator
from airflow_provider_oss.operators.copy import OSSCopyObjectOperator
from airflow_provider_oss.operators.resumable import OSSResumableBaseOperator
from airflow_provider_oss.options import ObjectOptionArguments, parse_options
from airflow_provider_oss.transfers.object_storage_to_oss import ObjectStorageToOSSOperator
from tests.docs.pages import ROOT
from tests.support.descriptions import NAMES, NOT_SHOWN

OPTIONS = list(ObjectOptionArguments.__annotations__)
SHOWN = [name for name in NAMES if name not in NOT_SHOWN]

PAGES = {
    "uploads.md": OPTIONS,
    "copy.md": NAMES,
    "faults.md": NAMES,
    "troubleshooting.md": NAMES,
    "object_storage.md": NAMES,
    "transfers.md": SHOWN,
}
DOCSTRINGS: dict[Any, list[str]] = {
    parse_options: OPTIONS,
    OSSUploadBaseOperator: OPTIONS,
    OSSHook: OPTIONS,
    OSSHook.copy_object: NAMES,
    OSSCopyObjectOperator: NAMES,
    OSSFileSystem: NAMES,
    ObjectStorageToOSSOperator: SHOWN,
}
PARAMETERS = (parse_options, OSSUploadBaseOperator)
"""What describes each in a line of its own."""


def missing(text: str | None, names: list[str]) -> list[str]:
    return [name for name in names if not re.search(rf"\b{name}\b", text or "")]


@pytest.mark.parametrize("page", PAGES)
def test_pages(page: str) -> None:
    """The pages that list options list them all."""
    assert missing((ROOT / "docs" / page).read_text("utf-8"), PAGES[page]) == []


@pytest.mark.parametrize("documented", DOCSTRINGS, ids=lambda one: one.__qualname__)
def test_docstrings(documented: Any) -> None:
    """So do the docstrings."""
    text = inspect.getdoc(documented) or ""
    assert missing(text, DOCSTRINGS[documented]) == []
    if documented in PARAMETERS:
        assert [name for name in DOCSTRINGS[documented] if f":param {name}: " not in text] == []


def test_what_a_copy_is_given() -> None:
    """The engine's own words name them, too."""
    source = inspect.getsource(Copy)
    assert missing(re.search(r'"""With (.*?)"""', source)[1], NAMES) == []  # type: ignore[index]


@pytest.mark.parametrize("name", STORES)
def test_stores(name: str) -> None:
    """What ``checkpoint`` may be is said on its page, and where the argument is taken."""
    assert f'"{name}"' in (ROOT / "docs" / "checkpoints.md").read_text("utf-8")
    assert f'"{name}"' in (inspect.getdoc(OSSResumableBaseOperator) or "")
