"""The error tree: drawn in its docstring as it is, every class in one branch only, texts that say where."""

from __future__ import annotations

import inspect
import pickle
import re
import traceback
import unicodedata
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss import exceptions
from airflow_provider_oss.exceptions import (
    ErrorDetails,
    OSSNotFound,
    OSSPermanentError,
    OSSProviderError,
    OSSTransientError,
)
from airflow_provider_oss.limits import MAX_KEY_BYTES

CLASSES = [
    item
    for _, item in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(item, BaseException) and item.__module__ == exceptions.__name__
]


def drawn_tree() -> dict[str, tuple[str | None, str | None]]:
    """Return class -> (parent, the built-in error named beside it) as the module's docstring draws it."""
    drawn: dict[str, tuple[str | None, str | None]] = {}
    ancestors: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        match = re.match(r"^ {4}((?:│ {3}| {4})*)(?:[├└]── )?(OSS\w+)(?: +\((\w+)\))?", line)
        if match is None:
            continue
        depth = 0 if "── " not in line else len(match[1]) // 4 + 1
        del ancestors[depth:]
        drawn[match[2]] = (ancestors[-1] if ancestors else None, match[3])
        ancestors.append(match[2])
    return drawn


def test_the_tree_is_drawn_as_it_is() -> None:
    """The docstring shows every class below its parent, with the built-in error that it also is."""
    actual = {}
    for cls in CLASSES:
        ours = [base.__name__ for base in cls.__bases__ if issubclass(base, OSSProviderError)]
        builtin = [base.__name__ for base in cls.__bases__ if not issubclass(base, OSSProviderError)]
        actual[cls.__name__] = (ours[0] if ours else None, builtin[0] if builtin and ours else None)

    assert drawn_tree() == actual


@pytest.mark.parametrize("cls", CLASSES)
def test_no_error_is_two_things(cls: type[OSSProviderError]) -> None:
    """No error is transient, permanent and "not found" at the same time: the verdict on a task is one."""
    assert sum(issubclass(cls, verdict) for verdict in (OSSTransientError, OSSPermanentError, OSSNotFound)) <= 1


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_says_where_it_happened(cls: type[OSSProviderError]) -> None:
    """The text is the message and the details that are known; both are fields too, and a pickle keeps them."""
    details = ErrorDetails("exports", "a", upload_id="U", part_number=7, http_status=404, code="Gone", request_id="R")

    error = pickle.loads(pickle.dumps(cls("it broke", details)))  # noqa: S301 - our own pickle

    assert str(error) == (
        "it broke [bucket=exports, key=a, upload_id=U, part_number=7, http_status=404, code=Gone, request_id=R]"
    )
    assert (error.message, error.details) == ("it broke", details)


TEXTS = st.text() | st.sampled_from(["a\nb", "\r\n", "\x1b[2J", "\x85", "\u2028", "\u202e", "\udcff"])
DETAILS = st.builds(ErrorDetails, **{field.name: st.none() | TEXTS for field in fields(ErrorDetails)})


@given(st.sampled_from(CLASSES), TEXTS, DETAILS)
def test_an_error_is_one_line(cls: type[OSSProviderError], message: str, details: ErrorDetails) -> None:
    """Whatever a message or a field holds, the text of an error is one line of UTF-8 that nothing can be hidden in."""
    error = cls(message, details)
    for text in (str(error), str(details), repr(error), "".join(traceback.format_exception_only(error)).rstrip("\n")):
        assert len(text.splitlines()) <= 1
        assert not {character for character in text if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")}
        text.encode()


def test_what_is_long_is_cut_off() -> None:
    """Of a field that no key is as long as the beginning is shown, and how long it is."""
    key = "k" * MAX_KEY_BYTES
    assert str(ErrorDetails(key=key)) == f"key={key}"
    assert str(ErrorDetails(code="x" * 8_000_000)) == f"code={'x' * 1024}... (cut off, it has 8000000 characters)"


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_without_details_is_its_message(cls: type[OSSProviderError]) -> None:
    """When nothing is known of the place the text is the message alone."""
    assert str(cls("it broke")) == "it broke"
