"""Measures rows in two checkouts in turn, and tells what was found."""

from __future__ import annotations

import platform
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks.certificates import write_certificate
from benchmarks.rounds import Sink, running_sink
from benchmarks.suite import VERSUS, Options, Result
from benchmarks.tables import markdown
from benchmarks.versus.rows import ROWS, Row
from benchmarks.versus.stage import BUSY, Figures, Samples, Stage, make_tree
from benchmarks.ways.latency import BYTES_PER_SECOND, LATENCY_SECONDS
from benchmarks.ways.spread import spread

_HERE: Final = Path(__file__).parents[2]
_HEADER: Final = ("what", "measure", "before", "after", "ratio", "target", "verdict", "sink busy")
_LEGEND: Final = """\
Medians (ranges) past the imports. *ratio*: of the medians, after to before. *target*: with an x of the ratio, else of
what was measured after; memory has an allowance of 1 MiB. *verdict*: by the medians; "tie" where it may stay as it was
and the ranges overlap. *sink busy*: the share of the wall time in which the server's one thread was at work, the
greater median of the two; near 100 %, the wall time is the server's."""


def compare(base: Path, names: Sequence[str], options: Options) -> Result:
    """Measure each row in both checkouts, A B A B ..., every time in a process of its own."""
    trees = {"before": make_tree(options.folder / "before", base), "after": make_tree(options.folder / "after", _HERE)}
    commits = {"before": _commit(base), "after": _commit(_HERE)}
    samples = Samples(options.folder, options.scale)
    found = {name: _measure(ROWS[name], trees, samples, options) for name in names}
    title = (
        f"{commits['after']} (after) beside {commits['before']} (before): Python {platform.python_version()}, "
        f"{ssl.OPENSSL_VERSION}, TCP {_congestion_control()}, {options.rounds} alternating rounds."
    )
    lines = [line for name, sides in found.items() for line in _lines(ROWS[name], sides)]
    table = f"{markdown(_HEADER, lines)}\n\n{_LEGEND}"
    return Result(VERSUS, title, table, {"commits": commits, "openssl": ssl.OPENSSL_VERSION, "rows": found}, ())


def _measure(row: Row, trees: Mapping[str, Path], samples: Samples, options: Options) -> dict[str, dict[str, Any]]:
    """Return what each measure was before and after, in all rounds; a first round, not counted, warms both."""
    with _network(row.network, options.folder) as sink:
        stages = {side: Stage(tree, sink, samples, options.folder) for side, tree in trees.items()}
        rounds = [{side: row.run(stage) for side, stage in stages.items()} for _ in range(options.rounds + 1)]
    found = {side: _spreads([each[side] for each in rounds[1:]]) for side in trees}
    for line in _lines(row, found):
        print("  " + "  ".join(line), flush=True)
    return found


@contextmanager
def _network(name: str, folder: Path) -> Iterator[Sink]:
    tls = write_certificate(folder) if name == "https" else None
    latency, rate = (LATENCY_SECONDS, BYTES_PER_SECOND) if name == "slow" else (0.0, None)
    with running_sink(tls, latency, rate) as sink:
        yield sink


def _spreads(runs: Sequence[Figures]) -> dict[str, Any]:
    return {
        measure: spread(run[measure] for run in runs) | {"all": [run[measure] for run in runs]} for measure in runs[0]
    }


def _lines(row: Row, found: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    """Yield the table's lines of a row: one for each measure."""
    sink_busy = max(found[side][BUSY]["median"] for side in found)
    for measure, target in row.targets.items():
        before, after = found["before"][measure], found["after"][measure]
        ratio = f"{after['median'] / before['median']:.2f}" if before["median"] else "-"
        claim = ["", ""] if target is None else [str(target), target.verdict(before, after)]
        yield [row.title, measure, _cell(before), _cell(after), ratio, *claim, f"{sink_busy:.0%}"]


def _cell(values: Mapping[str, float]) -> str:
    return f"{values['median']:.3g} ({values['lowest']:.3g}-{values['highest']:.3g})"


def _congestion_control() -> str:
    """Return the algorithm that decides when the kernel sends: BBR does it by timers, which cost CPU."""
    path = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    return path.read_text("ascii").strip() if path.exists() else "as the system has it"


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=7"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or "a tree without commits"
