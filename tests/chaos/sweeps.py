"""
Every kind of transfer under every fault: at each call that it makes, once and from there on, and dead at each step.

Which calls a transfer makes is asked of the server, which has recorded an undisturbed one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count, product
from typing import Any, Final, TypeVar

from airflow_provider_oss.emulator import Fault
from tests.chaos.child import Child, End, Orders, run_child
from tests.chaos.client import UNDISTURBED, Interference
from tests.chaos.edges import StateFile
from tests.chaos.kinds import KINDS
from tests.chaos.scenario import Measured, Scenario, Scene
from tests.chaos.tasks import Attempt, attempt
from tests.chaos.transfers import (
    Expected,
    Transfer,
    Versions,
    check_nothing_forgotten,
    check_nothing_left,
    check_nothing_sent_again,
    expected,
    judge,
)
from tests.chaos.troubles import FAULTS, NEEDS_OWN_SERVER, FirstTime, Trouble, can_meet
from tests.chaos.world import BrokenPromiseError, World, demand, is_ours

Chosen = TypeVar("Chosen")

_SHARE_OVER_TLS: Final = 0.25
_LONGEST_FLIPPED_BYTE: Final = 300
_OF_DATA: Final = (
    *("UploadPart", "UploadPartCopy", "PutObject", "CopyObject", "GetObject", "HeadObject", "ListObjectsV2"),
)
"""The operations that say how far a transfer is: the first that it has."""
_FEW: Final = 4
_TAKES_LONG: Final = NEEDS_OWN_SERVER | {"stall", "huge"}
_IN_MID_BODY_SECONDS: Final = 1.0
_PATIENCE_SECONDS: Final = 60.0


def scenarios(share: int = 1) -> Iterator[Scenario]:
    """Yield all scenarios of all kinds; of each every ``share``-th call or step, by chance."""
    for kind in KINDS:
        for plot in plots_of(kind):
            for fault in FAULTS:
                yield _scenario(kind, f"{plot}:{fault}", share, partial(_fail_at_every_call, plot, fault))
            yield _scenario(kind, f"{plot}:death", share, partial(_die_at_every_step, plot))
            yield _scenario(kind, f"{plot}:moved", share, partial(_move_at_every_call, plot))
            for fault, expectation in kind.source_faults.items():
                act = partial(_spoil_every_source_call, plot, fault, expectation)
                yield _scenario(kind, f"{plot}:source-{fault}", share, act)
        if kind.moves_bytes:
            yield _scenario(kind, "death-in-mid-body", 1, _die_in_mid_body)
        yield _scenario(kind, "cleared", 1, _clear)


def few(kind: type[Transfer]) -> Scenario:
    """Return a scenario of some cells of a kind, by chance, with the proof that its calls are those it states."""
    return _scenario(kind, "few", 1, _fail_at_a_few_calls)


def plots_of(kind: type[Transfer]) -> tuple[str, ...]:
    """Return what an attempt may find: nothing of an earlier one, or half of the work."""
    return ("fresh", "continued") if kind.continues else ("fresh",)


def _scenario(kind: type[Transfer], name: str, share: int, act: Callable[[Play], Measured]) -> Scenario:
    def play(scene: Scene) -> Measured:
        with kind.staged(scene) as arguments:
            return act(Play(scene, kind, arguments, share))

    return Scenario(f"{kind.name}:{name}", play)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a transfer: its operation, and how many of the same come before it."""

    operation: str
    number: int

    def __str__(self) -> str:
        return f"{self.operation} {self.number + 1}"


@dataclass(frozen=True, slots=True)
class Recording:
    """An undisturbed transfer: the calls that it made, and what there was before and in the end."""

    calls: list[Call]
    source_calls: int
    old: Mapping[str, bytes]
    new: Mapping[str, bytes]

    @property
    def halfway(self) -> Call:
        """The call after which half of the work is done."""
        numbers = Counter(call.operation for call in self.calls)
        operation = next(each for each in _OF_DATA if each in numbers)
        return Call(operation, numbers[operation] // 2)

    @property
    def ends(self) -> set[Call]:
        """The first and the last call of each operation."""
        numbers = Counter(call.operation for call in self.calls)
        return {Call(operation, number) for operation in numbers for number in (0, numbers[operation] - 1)}


@dataclass(slots=True)
class Play:
    """One kind of transfer in one scene: makes transfers that differ in nothing but where they store."""

    scene: Scene
    kind: type[Transfer]
    arguments: Mapping[str, Any]
    share: int
    """Play every so many-th call or step only."""
    _seed: float = field(init=False)
    _numbers: Iterator[int] = field(default_factory=count)
    _halfway: Call | None = None

    def __post_init__(self) -> None:
        self._seed = self.scene.random.random()

    def random_of(self, *what: object) -> random.Random:
        """Return random numbers that are the same whatever else is played."""
        return random.Random(repr((self._seed, *map(str, what))))

    def chosen(self, every: list[Chosen]) -> list[Chosen]:
        """Return the share that is played."""
        return every[self.random_of("share").randrange(self.share) :: self.share]

    def is_over_tls(self, *what: object) -> bool:
        """Whether OSS is reached over TLS."""
        return self.random_of("tls", *what).random() < _SHARE_OVER_TLS

    def make(self, world: World, *what: object) -> Transfer:
        """Return a transfer, with its source, what was there before, and a checkpoint store of its own."""
        number = next(self._numbers)
        transfer = self.kind(
            key=f"{self.scene.prefix}/{number}/",
            folder=self.scene.folder / f"files-{number}",
            state=StateFile(self.scene.folder / f"state-{number}.json"),
            parallel=self.random_of("parallel", *what).choice((1, 2, 4)),
            **self.arguments,
        )
        transfer.folder.mkdir()
        transfer.make_source(world, self.random_of("source"))
        transfer.make_old(world)
        return transfer

    def record(self, plot: str) -> Recording:
        """Run a transfer undisturbed, and prove that it does what it should."""
        recording = self._record()
        if plot == "fresh":
            return recording
        self._halfway = recording.halfway
        return replace(self._record(), new=recording.new)

    def _record(self) -> Recording:
        world = self.scene.common_world()
        transfer = self.make(world)
        old = transfer.contents(world)
        self.prepare(transfer, world)
        begun, begun_at_source = len(world.records), transfer.source_calls()
        ended = run(transfer, world)
        demand(ended.error is None, f"undisturbed the transfer succeeds, but: {ended}")
        new = transfer.contents(world)
        transfer.check(new, ended.result)
        is_continued = self._halfway is None or _was_continued(ended.result)
        demand(is_continued, f"the attempt continues what is halfway done, but: {ended.result}")
        check_nothing_left(world, transfer)
        return Recording(_calls(world, begun), transfer.source_calls() - begun_at_source, old, new)

    def prepare(self, transfer: Transfer, world: World) -> None:
        """Let an earlier attempt come halfway, where one is to be continued."""
        if self._halfway is None:
            return
        operation, skip = self._halfway.operation, self._halfway.number
        world.server.faults.add(Fault(operation=operation, skip=skip, status=403, code="AccessDenied"))
        run(transfer, world)
        world.server.faults.clear()


def _was_continued(result: Mapping[str, Any]) -> bool:
    return any(result.get(name) for name in ("resumed", "bytes_verified", "skipped"))


def _calls(world: World, begun: int) -> list[Call]:
    """Return the calls since so many, in the order in which they were begun."""
    seen: Counter[str] = Counter()
    calls = []
    for record in sorted(filter(is_ours, world.records[begun:]), key=lambda record: record.started_at):
        calls.append(Call(record.operation, seen[record.operation]))
        seen[record.operation] += 1
    return calls


def run(transfer: Transfer, world: World, interference: Interference = UNDISTURBED) -> Attempt:
    """Make one attempt."""
    return attempt(transfer, interference.and_then(transfer.meanwhile(world)))


# Faults


def _fail_at_every_call(plot: str, fault: str, play: Play) -> Measured:
    recording, total = play.record(plot), Measured()
    calls = [call for call in recording.calls if can_meet(fault, call.operation)]
    cells = [(call, False) for call in calls] + [(call, True) for call in calls if call in recording.ends]
    for call, always in play.chosen(cells):
        with _naming(f"{call}, {'always' if always else 'once'}"), _world_of(play, fault, call, always) as world:
            total += _fail_at(play, recording, fault, call, world, always=always)
    return total


def _fail_at_a_few_calls(play: Play) -> Measured:
    recordings = {plot: play.record(plot) for plot in plots_of(play.kind)}
    made = {call.operation for recording in recordings.values() for call in recording.calls}
    demand(made == {*play.kind.calls}, f"the calls of {play.kind.name} are those that it states, but: {sorted(made)}")
    total, recording = Measured(), recordings[plots_of(play.kind)[-1]]
    cells = [
        (fault, call)
        for fault in FAULTS
        if fault not in _TAKES_LONG
        for call in recording.calls
        if can_meet(fault, call.operation)
    ]
    for fault, call in play.random_of("few").sample(cells, _FEW):
        with _naming(f"{fault} at {call}, once"):
            total += _fail_at(play, recording, fault, call, play.scene.common_world(), always=False)
    return total


def _world_of(play: Play, fault: str, call: Call, always: bool) -> AbstractContextManager[World]:  # noqa: FBT001
    over_tls = play.is_over_tls(call, always)
    if fault in NEEDS_OWN_SERVER:
        return play.scene.own_world(over_tls=over_tls)
    return nullcontext(play.scene.common_world(over_tls=over_tls))


def _fail_at(play: Play, recording: Recording, fault: str, call: Call, world: World, *, always: bool) -> Measured:
    transfer = play.make(world, call, always)
    play.prepare(transfer, world)
    flipped = play.random_of("flip", call, always).randrange(_LONGEST_FLIPPED_BYTE)
    trouble = Trouble(fault, call.operation, always, call.number, flipped)
    ended = run(transfer, world, trouble.begin(world, transfer))
    world.open()
    world.server.faults.clear()
    if transfer.goes_unnoticed(fault, call.operation):
        return Measured(faults=1)
    judge(ended, expected(transfer, fault, call.operation), always=always)
    world.mend()
    if ended.error is None and transfer.may_miss_surplus(fault, call.operation):
        found = transfer.contents(world)
        demand(found.items() >= recording.new.items(), f"all is there, but: {_names(transfer, world)}")
        ended = run(transfer, world)
    _come_to_the_end(recording, transfer, world, ended)
    return _check_end(world, transfer, fault, call.operation) + Measured(faults=1)


def _come_to_the_end(recording: Recording, transfer: Transfer, world: World, ended: Attempt) -> None:
    """Demand that all is there, after another attempt if this one failed; and what holds between the two."""
    if ended.error is not None:
        check_between(recording, transfer, world)
        kept, begun = transfer.kept(), len(world.records)
        ended = run(transfer, world)
        demand(ended.error is None, f"the next attempt succeeds, but: {ended}")
        again = kept & {record.range for record in world.records[begun:]}
        demand(not again, f"what has arrived is not asked for again, but: {sorted(again)}")
    demand(transfer.contents(world) == recording.new, f"all is there, and nothing else: {_names(transfer, world)}")


def check_between(recording: Recording, transfer: Transfer, world: World) -> None:
    """Demand what holds when an attempt has ended early, whatever ended it."""
    Versions.between(recording.old, recording.new).check(transfer.half_done(world))
    if transfer.continues:
        check_nothing_forgotten(world, transfer)


def _clear(play: Play) -> Measured:
    """Run a transfer that has succeeded once more, as clearing its task does."""
    recording = play.record("fresh")
    world = play.scene.common_world(over_tls=play.is_over_tls())
    transfer = play.make(world)
    for which in ("first", "cleared"):
        ended = run(transfer, world)
        demand(ended.error is None, f"the {which} attempt succeeds, but: {ended}")
        demand(transfer.contents(world) == recording.new, f"all is there, and nothing else: {_names(transfer, world)}")
        transfer.check(recording.new, ended.result)
        check_nothing_left(world, transfer)
    return Measured()


def _spoil_every_source_call(plot: str, fault: str, expectation: Expected, play: Play) -> Measured:
    recording, total = play.record(plot), Measured()
    demand(recording.source_calls, "the source is asked")
    for number, always in play.chosen([*product(range(recording.source_calls), (False, True))]):
        with _naming(f"request {number + 1} to the source, {'always' if always else 'once'}"):
            world = play.scene.common_world(over_tls=play.is_over_tls(number, always))
            transfer = play.make(world, number, always)
            play.prepare(transfer, world)
            transfer.spoil_source(fault, number, always=always)
            ended = run(transfer, world)
            transfer.mend_source()
            judge(ended, expectation, always=always)
            _come_to_the_end(recording, transfer, world, ended)
            total += _check_end(world, transfer, fault, "") + Measured(faults=1)
    return total


def _names(transfer: Transfer, world: World) -> dict[str, int]:
    return {name: len(content) for name, content in transfer.contents(world).items()}


def _check_end(world: World, transfer: Transfer, fault: str, operation: str) -> Measured:
    if not transfer.may_leave(fault, operation):
        check_nothing_left(world, transfer)
    return Measured(bytes_sent_again=check_nothing_sent_again(world, transfer, fault))


@contextmanager
def _naming(what: str) -> Iterator[None]:
    """Say of a broken promise where it was broken."""
    try:
        yield
    except BrokenPromiseError as error:
        raise BrokenPromiseError(f"{what}: {error}") from error


# Moves


def _move_at_every_call(plot: str, play: Play) -> Measured:
    recording, total = play.record(plot), Measured()
    for call in play.chosen([None, *recording.calls]):
        with _naming(f"before {call or 'the attempt'}"):
            total += _move_at(play, recording, call, play.scene.common_world(over_tls=play.is_over_tls(call)))
    return total


def _move_at(play: Play, recording: Recording, call: Call | None, world: World) -> Measured:
    """Replace the source before a call, or before the attempt; whatever that ends with, the next one stores the new."""
    transfer = play.make(world, call)
    play.prepare(transfer, world)

    def replace_source() -> None:
        transfer.make_source(world, play.random_of("another source"))

    if call is None:
        replace_source()
        first = run(transfer, world)
    else:
        first = run(transfer, world, Interference(before=FirstTime(call.operation, replace_source, call.number)))
    judge(first, Expected.RETRIED, always=False)
    between = transfer.half_done(world)
    if transfer.continues:
        check_nothing_forgotten(world, transfer)
    second = run(transfer, world)
    demand(second.error is None, f"the next attempt succeeds, but: {second}")
    contents = transfer.contents(world)
    transfer.check(contents, second.result)
    Versions.between(recording.old, recording.new, contents).check(between)
    return _check_end(world, transfer, "moved", "") + Measured(faults=1)


# Deaths


def _die_at_every_step(plot: str, play: Play) -> Measured:
    recording, total = play.record(plot), Measured()
    steps = _steps_of(play)
    demand(steps > 1, "a transfer has more than one step")
    for step in play.chosen(list(range(1, steps + 1))):
        with _naming(f"death at step {step} of {steps}"):
            total += _die_at(play, recording, step)
    return total


def _steps_of(play: Play) -> int:
    world = play.scene.common_world()
    transfer = play.make(world)
    play.prepare(transfer, world)
    end = run_child(_orders(transfer, world))
    demand(end.succeeded, f"undisturbed the transfer succeeds, but: {end}")
    return end.steps


def _die_at(play: Play, recording: Recording, step: int) -> Measured:
    world = play.scene.common_world(over_tls=play.is_over_tls(step))
    transfer = play.make(world)
    play.prepare(transfer, world)
    orders = _orders(transfer, world)
    first = run_child(replace(orders, die_at_step=step))
    demand(first.was_killed or first.succeeded, f"killed, or done before it, but: {first}")
    return _rise(recording, orders, world, first)


def _die_in_mid_body(play: Play) -> Measured:
    recording = play.record("fresh")
    world = play.scene.common_world(over_tls=play.is_over_tls())
    transfer = play.make(world)
    call = recording.halfway
    world.server.faults.add(
        Fault(operation=call.operation, skip=call.number, times=1, latency_seconds=_IN_MID_BODY_SECONDS)
    )
    orders = _orders(transfer, world)
    with Child(orders) as child:
        world.server.faults.wait_for_hits(timeout_seconds=_PATIENCE_SECONDS)
        child.kill()
        first = child.end()
    demand(first.was_killed, "a process in mid-body is killed")
    # What the dead process has sent arrives all the same: only what OSS has before the next attempt asks is known to it
    world.server.wait_for_requests(lambda one: one.ended_at - one.started_at >= _IN_MID_BODY_SECONDS, _PATIENCE_SECONDS)
    return _rise(recording, orders, world, first)


def _orders(transfer: Transfer, world: World) -> Orders[Transfer]:
    transfer.hasten(world)
    return Orders(transfer, world.connection_json(), audited=transfer.folder)


def _rise(recording: Recording, orders: Orders[Transfer], world: World, first: End) -> Measured:
    """Demand what holds after the death of an attempt, and that the next one finishes."""
    transfer = orders.work
    check_between(recording, transfer, world)
    second = run_child(orders)
    demand(second.succeeded, f"the next attempt succeeds, but: {second}")
    demand(transfer.contents(world) == recording.new, f"all is there, and nothing else: {_names(transfer, world)}")
    return _check_end(world, transfer, "death", "") + Measured(kills=int(first.was_killed))
