"""Docstrings as the site shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docs.extension.arguments import Argument, arguments_of, table_of, without_parameters
from docs.extension.links import with_links_to_examples, with_links_to_files
from docs.extension.plain_text import as_rest
from docs.extension.summary import methods_of

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import XComArg

NAMES = {"OSSHook": "airflow_provider_oss.hooks.oss.OSSHook"}


class Base:
    """
    Is derived from.

    :param region: goes before
        the connection's.
    """

    def __init__(self, *, region: str | None = None, **kwargs: Any) -> None:
        pass


class Derived(Base):
    """
    Takes more. For the other arguments see OSSSomeBaseOperator; they hold for all.

    :param key: names of ``x-oss-*`` things.
    :param hidden: is no argument.

    Afterwards.
    """

    def __init__(self, *, key: str | XComArg, region: str | None = None) -> None:
        pass

    def send(self) -> None:
        """Sends. And more."""

    def _hidden(self) -> None:
        pass


def test_arguments() -> None:
    """Own arguments come first, then those of bases; only what is taken is shown."""
    assert arguments_of(Derived) == [
        Argument("key", "str", "", "names of ``x-oss-*`` things."),
        Argument("region", "str | None", "None", "goes before the connection's."),
    ]


def test_table() -> None:
    """A row says type, default and meaning."""
    lines = "\n".join(table_of(Derived, NAMES))
    assert "   * - ``key``\n\n       :sub:`str`, required\n     - names of ``x-oss-*`` things." in lines
    assert ":sub:`str \\| None`, default ``None``\n     - goes before the connection's." in lines
    assert table_of(Derived.send, NAMES) == []


def test_what_is_left_of_a_docstring() -> None:
    """Parameters, and where to look for others, are in the table."""
    docstring = (Derived.__doc__ or "").replace("\n    ", "\n").strip().split("\n")
    assert [line for line in without_parameters(docstring) if line] == ["Takes more.", "Afterwards."]


def test_other_sentences_stay() -> None:
    """What only begins like the sentence that leads to a base is not taken away."""
    text = "It does. For the arguments see OSSBaseHook; ``**options`` are those of ``a.b``."
    assert without_parameters([text]) == [text]


def test_plain_text_stays_plain() -> None:
    """What has a meaning in reStructuredText is shown as it is, literals apart; names are links."""
    assert as_rest(["x-oss-meta-* of |a| `b` c_ ``d_*`` by OSSHook"], NAMES) == [
        r"x-oss-meta-\* of \|a\| \`b\` c\_ ``d_*`` by :py:obj:`~airflow_provider_oss.hooks.oss.OSSHook`"
    ]
    assert as_rest(["* one", "  * two"], {}) == ["* one", "  * two"]
    assert as_rest(["a ``literal", "over lines`` b"], {}) == ["a ``literal over lines`` b"]


def test_links_out_of_the_pages() -> None:
    """DAG files are on a page of the site, other files in the repository, pages stay what they are."""
    assert with_links_to_examples("[a](../dags_examples/copy_object.py)", "copy") == (
        "[a](reference/examples.md#example-copy-object)"
    )
    assert (
        with_links_to_examples("[a](../../dags_examples/a.py)", "tasks/b") == "[a](../reference/examples.md#example-a)"
    )
    text = "[a](../copy.md) [b](../../Makefile)"
    assert with_links_to_files(text, "tasks/b", "https://git.example/p") == (
        "[a](../copy.md) [b](https://git.example/p/blob/HEAD/Makefile)"
    )


def test_methods() -> None:
    """Public methods of the package's own classes are summarised."""
    from airflow_provider_oss.hooks.oss import OSSHook  # noqa: PLC0415

    found = methods_of(OSSHook)
    assert {"upload_file", "sign_url", "connect"} <= set(found)
    assert not any(name.startswith("_") or name == "get_connection" for name in found)
