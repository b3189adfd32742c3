"""Tables of three columns and more: each cell bears its column's heading, which the style shows on narrow screens."""

from __future__ import annotations

from typing import Final

from docutils import nodes

STACKED: Final = "stacked"
"""The class of such tables: where there is no room for columns, their cells are shown one below the other."""
_FEWEST: Final = 3


def name_cells(tree: nodes.document) -> None:
    """Let every cell but those of the first column, and empty ones, begin with its column's heading."""
    for table in tree.findall(nodes.table):
        headings = [heading.astext() for head in table.findall(nodes.thead) for heading in head.findall(nodes.entry)]
        if len(headings) < _FEWEST:
            continue
        table["classes"].append(STACKED)
        for body in table.findall(nodes.tbody):
            for row in body.findall(nodes.row):
                _name(row, headings)


def _name(row: nodes.row, headings: list[str]) -> None:
    for cell, heading in list(zip(row.findall(nodes.entry), headings, strict=False))[1:]:
        if heading and cell.astext():
            cell.insert(0, nodes.inline(heading, heading, classes=["column"]))
