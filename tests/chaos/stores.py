"""The hint lies, or cannot be kept: garbage in each store, and stores that fail at each of their calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.chaos.cells import leave_two_parts
from tests.chaos.deaths import STORES
from tests.chaos.edges import StateFile, airflow_edges, checkpoints_in, named_upload
from tests.chaos.scenario import Measured, Scenario, Scene, check_clean_end, check_nothing_is_forgotten
from tests.chaos.tasks import Job, attempt
from tests.chaos.world import World, demand

_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_ODD_VALUES: Final[st.SearchStrategy[Any]] = st.sampled_from(
    [
        "", "0", "1-99999", "9-1", "0-0", "/leading", "x" * 1023, "\u00e9" * 1023, "\ud800", "other", "no-such-bucket",
        0, 1, 1.0, 102400.0, 2**63, 10**30, -1, True, [], {}, None, "2024-01-01T00:00:00", "0001-01-01T00:00:00+00:00",
        "9999-12-31T23:59:59+00:00", "yesterday", {"name": "", "size": 1.0}, {"name": "\ud800", "size": 0},
    ]
)  # fmt: skip


def scenarios(examples: int) -> Iterator[Scenario]:
    """Yield, for each store, ``examples`` lies, and a failure of each of its calls."""
    for store in STORES:
        yield Scenario(f"lies:{store}:anything", partial(_lie, store, examples, _anything))
        yield Scenario(f"lies:{store}:nearly-right", partial(_lie, store, examples, _nearly_right))
        for trouble in _TROUBLES:
            yield Scenario(f"store:{store}:{trouble}", partial(_fail, store, trouble))


def _anything(record: dict[str, Any]) -> st.SearchStrategy[Any]:
    del record
    return _JSON | _JSON.map(json.dumps) | st.text(max_size=50)


def _nearly_right(record: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return the right record with some fields replaced, or left out, or new ones."""
    names = st.sampled_from(sorted(record))
    changes = st.dictionaries(names, _ODD_VALUES | _JSON, max_size=2)
    missing = st.sets(names, max_size=1)
    newer = st.sampled_from([{}, {"version": 2}, {"version": 1.0}, {"later": "field"}])
    return st.builds(
        lambda change, left_out, more: {k: v for k, v in (record | change | more).items() if k not in left_out},
        changes,
        missing,
        newer,
    )


def _lie(
    store: str, examples: int, strategy: Callable[[dict[str, Any]], st.SearchStrategy[Any]], scene: Scene
) -> Measured:
    world, job = scene.common_world(), scene.job(store=store)
    with airflow_edges(job.state):
        place, record = _true_record(world, job)
        played = 0

        @seed(scene.random.randrange(2**32))
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy(record))
        def believe(lie: Any) -> None:
            nonlocal played
            played += 1
            fresh = replace(job, key=f"{job.key}-{played}")
            fresh.state.put({place: json.dumps(lie) if store == "variable" and not isinstance(lie, str) else lie})
            ended = attempt(fresh)
            demand(ended.error is None, f"a lie costs time, never the upload, but {lie!r} led to: {ended}")
            check_clean_end(world, fresh)

        believe()
    return Measured(faults=played)


def _true_record(world: World, job: Job) -> tuple[str, dict[str, Any]]:
    """Return where the store keeps the checkpoint, and one that names an upload that is gone."""
    leave_two_parts(world, job)
    [(place, record)] = checkpoints_in(job.state.content).items()
    world.abort_all(job.key)
    return place, record


# Stores that fail


class StoreDownError(Exception):
    """What a failing store raises."""


_TROUBLES: Final[dict[str, tuple[str, int, str | None]]] = {
    "load": ("load", 1, "StoreDownError"),
    "later-load": ("load", 2, None),
    "first-save": ("save", 1, "OSSCheckpointNotSaved"),
    "save-of-the-id": ("save", 2, "OSSCheckpointNotSaved"),
    "save-when-continuing": ("save", 1, None),
    "delete": ("delete", 1, None),
}
"""Which call of the store is the first to fail, from 1, and the error that ends the attempt, if one does."""


class _Failing:
    """A view of ``state`` that fails at call ``number`` (from 1) of one kind, and at all that follow."""

    def __init__(self, state: StateFile, what: str, number: int) -> None:
        self.state = StateFile(state.path, before=self._before)
        self.failures = 0
        self._what = what
        self._calls_until_then = number - 1

    def _before(self, name: str) -> None:
        if name != self._what:
            return
        if self._calls_until_then:
            self._calls_until_then -= 1
            return
        self.failures += 1
        raise StoreDownError(f"the store is down for {name}")


def _fail(store: str, trouble: str, scene: Scene) -> Measured:
    world, job = scene.common_world(), scene.job(store=store)
    what, number, expected = _TROUBLES[trouble]
    if trouble == "save-when-continuing":
        with airflow_edges(job.state):
            leave_two_parts(world, job)
    failing = _Failing(job.state, what, number)
    with airflow_edges(failing.state):
        ended = attempt(replace(job, state=failing.state))
    demand(failing.failures, f"the store is asked to {what}")
    seen = None if ended.error is None else type(ended.error).__name__
    demand(seen == expected and not ended.permanent, f"a store that fails at {trouble}: {expected}, but: {ended}")
    left = world.leftovers(job.key)
    demand(not left.uploads, f"no upload is left: {left.uploads}")
    demand((left.content is not None) == (expected is None), "the object is there if the attempt succeeded")
    check_nothing_is_forgotten(world, job)
    with airflow_edges(job.state):
        again = attempt(job)
    demand(again.error is None, f"with the store back the next attempt succeeds, but: {again}")
    if trouble == "delete":
        demand(again.result and not again.result["bytes_sent"], "what is finished is recognised, and not sent again")
    demand(named_upload(job.state.content) is None, "no checkpoint is left")
    return check_clean_end(world, job) + Measured(faults=1)
