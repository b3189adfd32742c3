"""The short form of the fault campaign: every cell of uploads once, the deaths for one store, a few of all kinds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from tests.chaos import cells, deaths, flips, kills, moves, names, outcomes, secret, stores, sweeps, timeouts, twins
from tests.chaos.kinds import KINDS
from tests.chaos.scenario import Scenario, Stage
from tests.chaos.transfers import Transfer

SEED = 1


@pytest.fixture
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose scenarios depend on the seed alone."""
    with Stage(SEED, tmp_path_factory.mktemp("chaos")) as opened:
        yield opened


def _play(stage: Stage, scenarios: Iterable[Scenario]) -> None:
    for scenario in scenarios:
        try:
            stage.play(scenario)
        except AssertionError as error:
            error.add_note(f"replay: make chaos SEED={SEED} ONLY={scenario.name}")
            raise


@pytest.mark.parametrize("call", outcomes.CALLS, ids=lambda call: call.name)
def test_every_cell(stage: Stage, call: outcomes.Call) -> None:
    """Every fault at a call has the outcome that the table states, with a file and with a stream."""
    begins = tuple(f"{group}:{call.name.replace(' ', '-')}:" for group in ("cell", "stream-cell"))
    _play(stage, (scenario for scenario in cells.scenarios() if scenario.name.startswith(begins)))


@pytest.mark.parametrize(
    ("group", "plot"),
    [
        ("death", "plain"),
        ("death", "to-be-abandoned"),
        ("death", "initiate-unanswered"),
        ("death-of-stream", "to-be-continued"),
        ("death-of-stream", "aborted-meanwhile"),
    ],
)
def test_death_at_every_step(stage: Stage, group: str, plot: str) -> None:
    """After a SIGKILL at any step the next attempt finishes, sends nothing again and leaves nothing."""
    wanted = f"{group}:task_state:{plot}"
    _play(stage, (scenario for scenario in deaths.scenarios(("task_state",)) if scenario.name == wanted))


def test_death_in_mid_body(stage: Stage) -> None:
    """A part that was on its way when the process died costs that part alone."""
    _play(stage, (scenario for scenario in deaths.scenarios() if scenario.name.endswith("in-mid-body")))


def test_death_at_random_times(stage: Stage) -> None:
    """Whatever ends an attempt, and whenever, the next one finishes; so does the death of the server."""
    _play(stage, kills.scenarios(1))


@pytest.mark.parametrize(
    "scenarios",
    [moves.scenarios, twins.scenarios, names.scenarios, timeouts.scenarios, secret.scenarios],
    ids=["moves", "twins", "names", "timeouts", "secrets"],
)
def test_rest_of_the_campaign(stage: Stage, scenarios: type[Iterable[Scenario]]) -> None:
    """The data moves, two are at work, names are odd, nothing moves, everything is logged: every promise holds."""
    _play(stage, scenarios())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_few_cells_of_every_kind(stage: Stage, kind: type[Transfer]) -> None:
    """Of every kind of transfer some faults, at some calls, come to the end that is promised."""
    _play(stage, [sweeps.few(kind)])


def test_flipped_bits(stage: Stage) -> None:
    """A bit that flips in an answer or a request, wherever it is, costs a try and not the upload."""
    _play(stage, flips.scenarios(50))


def test_stores_that_lie_or_fail(stage: Stage) -> None:
    """What a store holds can cost time and never the upload; a store that fails loses no upload."""
    _play(stage, stores.scenarios(12))
