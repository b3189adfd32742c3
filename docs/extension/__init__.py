"""What `make docs` adds to Sphinx: docstrings as they are written here, arguments as tables, example DAGs as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docs.extension.arguments import table_of, without_parameters
from docs.extension.links import EXAMPLES_PAGE, examples, with_links_to_examples, with_links_to_files
from docs.extension.plain_text import as_rest
from docs.extension.summary import summary_of

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

_PACKAGE = "airflow_provider_oss"
_SUMMARISED = "airflow_provider_oss.hooks.oss.OSSHook"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Connect what this package does to Sphinx's events."""
    app.add_config_value("oss_documented", {}, "env")
    app.add_config_value("oss_repository", "", "env")
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skipped)
    app.connect("source-read", _source)
    app.connect("doctree-read", _tables)
    return {"parallel_read_safe": True}


def _docstring(app: Sphinx, what: str, name: str, documented: Any, _options: Any, lines: list[str]) -> None:
    names = app.config.oss_documented
    rest = as_rest(without_parameters(lines), names)
    if what in {"class", "function", "method", "exception"}:
        rest += table_of(documented, names)
    if name == _SUMMARISED:
        rest += summary_of(documented, name)
    lines[:] = rest


def _signature(_app: Sphinx, what: str, _name: str, documented: Any, *_: Any) -> tuple[str, None] | None:
    """Leave out the signature where a table has the same with what it means."""
    return ("", None) if what == "class" and table_of(documented, {}) else None


def _skipped(_app: Sphinx, _what: str, _name: str, member: Any, skip: bool, _options: Any) -> bool | None:  # noqa: FBT001 - Sphinx calls it
    """Leave out what Airflow's own classes have."""
    module = getattr(getattr(member, "fget", member), "__module__", None)
    is_own = str(module or _PACKAGE).startswith(_PACKAGE)
    return None if is_own or skip else True


def _source(app: Sphinx, page: str, source: list[str]) -> None:
    folder = app.srcdir.parent / "dags_examples"
    source[0] = with_links_to_files(with_links_to_examples(source[0], page), page, app.config.oss_repository)
    if page == EXAMPLES_PAGE:
        source[0] += examples(folder)


def _tables(_app: Sphinx, tree: nodes.document) -> None:
    from docs.extension.tables import name_cells  # noqa: PLC0415 - docutils is of the group docs

    name_cells(tree)
