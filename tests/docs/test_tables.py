"""Tables of many columns as narrow screens show them."""

from __future__ import annotations

from docutils import nodes
from docutils.core import publish_doctree

from docs.extension.tables import STACKED, name_cells

WIDE = """
.. list-table::
   :header-rows: 1

   * - Code
     - Error
     - Look
   * -
     - d
     -
"""
NARROW = """
===== =====
Code  Error
===== =====
a     b
===== =====
"""


def shown(text: str) -> tuple[list[str], bool]:
    tree = publish_doctree(text)
    name_cells(tree)
    return [cell.astext() for cell in tree.findall(nodes.entry)], STACKED in str(tree)


def test_cells_bear_the_headings_of_their_columns() -> None:
    """The first column needs none, for it is the heading of its row; nor do empty cells."""
    assert shown(WIDE) == (["Code", "Error", "Look", "", "Error\n\nd", ""], True)


def test_two_columns_stay() -> None:
    """They have room on every screen."""
    assert shown(NARROW) == (["Code", "Error", "a", "b"], False)
