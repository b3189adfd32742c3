"""Charts as SVG: the same figures give the same bytes, and the colours read on light and on dark pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GREY: Final = "#808890"
"""Text, axes and the clients that are compared with: half-way between white and black."""
_COLOURS: Final = ("#e8710a", "#2f81f7", "#1a9e55", "#a371f7", "#d29922", _GREY)
_ROOM_FOR_LABELS: Final = 1.35
_STYLE: Final[dict[Any, Any]] = {
    "svg.hashsalt": "airflow-provider-oss",  # else the ids inside the file are random
    "svg.fonttype": "none",  # text stays text: small, and searchable
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _GREY,
    "axes.labelcolor": _GREY,
    "axes.edgecolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A median with its range."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars side by side with other panels of the same rows."""

    title: str
    bars: Sequence[Bar]
    """One for each row, from top to bottom."""


@dataclass(frozen=True, slots=True)
class Line:
    """A series of points."""

    label: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over one axis, side by side with other plots."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    is_logarithmic: bool = False
    """Both axes, base 2: a straight line of slope one is growth in proportion."""


def bars(title: str, rows: Sequence[str], panels: Sequence[Panel], highlighted: Sequence[str] = ()) -> bytes:
    """Return horizontal bars with their ranges, one panel beside the other, the ``highlighted`` rows in colour."""
    colours = [_COLOURS[0] if row in highlighted else _GREY for row in rows]
    with _figure(title, len(panels), 1.1 + 0.32 * len(rows)) as figure:
        for axes, panel in zip(figure.axes, panels, strict=True):
            _draw_bars(axes, panel, colours)
        figure.axes[0].set_yticks(range(len(rows)), rows)
        return _svg(figure)


def lines(title: str, plots: Sequence[Plot]) -> bytes:
    """Return plots side by side; a label has the same colour in all of them."""
    labels = list(dict.fromkeys(line.label for plot in plots for line in plot.lines))
    colours = {label: _COLOURS[index % len(_COLOURS)] for index, label in enumerate(labels)}
    with _figure(title, len(plots), 3.6) as figure:
        for axes, plot in zip(figure.axes, plots, strict=True):
            _draw_lines(axes, plot, colours)
        return _svg(figure)


@contextmanager
def _figure(title: str, count: int, height_inches: float) -> Iterator[Figure]:
    """Yield a figure with axes side by side, in our style; matplotlib is imported here only."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, height_inches), layout="constrained")
        figure.suptitle(title, fontsize=11)
        figure.subplots(1, count)
        yield figure


def _svg(figure: Figure) -> bytes:
    """Return the drawing, without the date it was made at and without a background."""
    file = BytesIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return file.getvalue()


def _draw_bars(axes: Axes, panel: Panel, colours: Sequence[str]) -> None:
    medians = [bar.median for bar in panel.bars]
    ranges = [[bar.median - bar.lowest for bar in panel.bars], [bar.highest - bar.median for bar in panel.bars]]
    positions = range(len(medians))
    axes.barh(positions, medians, xerr=ranges, color=list(colours), ecolor=_GREY, height=0.6)
    for position, bar in zip(positions, panel.bars, strict=True):
        axes.annotate(f" {bar.median:.3g}", (bar.highest, position), va="center")
    axes.set_title(panel.title, fontsize=10)
    axes.set_xlim(0, _ROOM_FOR_LABELS * (max(bar.highest for bar in panel.bars) or 1))
    axes.set_yticks([])
    axes.invert_yaxis()


def _draw_lines(axes: Axes, plot: Plot, colours: Mapping[str, str]) -> None:
    for line in plot.lines:
        axes.plot(
            *zip(*line.points, strict=True), marker="o", markersize=3, color=colours[line.label], label=line.label
        )
    axes.set_title(plot.title, fontsize=10)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    if plot.is_logarithmic:
        axes.set_xscale("log", base=2)
        axes.set_yscale("log", base=2)
    else:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)
