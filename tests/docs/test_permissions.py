"""The RAM policies of docs/permissions.md: each is enough for its use, and nothing in it is too much."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_oss.emulator import OSSEmulator, RamUser
from airflow_provider_oss.exceptions import OSSProviderError
from airflow_provider_oss.hooks.oss import OSSHook
from tests.conftest import BUCKET, connection_json
from tests.docs.policies import USES, World
from tests.hooks.conftest import IMPATIENT

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
USER = {"login": "user-id", "password": "user-secret"}

Policy = dict[str, Any]
Enter = Callable[[Policy], World]


def policies() -> dict[str, Policy]:
    """Return the policy of each heading that has one."""
    sections = re.split(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        for document in re.findall(r"```json\n(.*?)```", text, re.DOTALL):
            assert heading not in found, f"{heading} has two policies"
            found[heading] = json.loads(document)
    return found


POLICIES = policies()


def reduced(policy: Policy) -> Iterator[tuple[str, Policy]]:
    """Yield the policy without each of its actions, and the name of what it lacks."""
    for number, statement in enumerate(policy["Statement"]):
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        for action in actions:
            less = copy.deepcopy(policy)
            less["Statement"][number]["Action"] = [other for other in actions if other != action] or "oss:Nothing"
            yield f"{action} on {statement['Resource']}", less


@contextmanager
def world_of(policy: Policy, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A server where a RAM user has this policy."""
    folder.mkdir()
    users = [RamUser(USER["login"], USER["password"], policy)]
    with OSSEmulator(folder / "oss", buckets=(BUCKET, "archive"), ram_users=users) as server:
        for conn_id, fields in (("owner", {}), ("user", USER), ("no_bucket", USER | {"schema": ""})):
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection_json(server, **fields))
        owner, user, without_bucket = (OSSHook(conn_id) for conn_id in ("owner", "user", "no_bucket"))
        for hook in (owner, user, without_bucket):
            hook.retry = IMPATIENT
        yield World(server, user, owner, without_bucket, folder)


def denials(world: World) -> list[str]:
    """Return the operations that were refused."""
    return [request.operation for request in world.server.requests if request.status == 403]


def test_every_policy_has_a_use() -> None:
    """Each policy of the page is tested, and each tested use has its policy on the page."""
    assert set(POLICIES) == set(USES)


@pytest.mark.parametrize("use", USES)
def test_the_policy_is_enough(use: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the policy nothing is refused, and nothing unfinished is left."""
    with world_of(POLICIES[use], tmp_path / "world", monkeypatch) as world:
        USES[use](world)
        assert denials(world) == []
        assert list(world.owner.list_multipart_uploads()) == []


@pytest.mark.parametrize(
    ("use", "policy"),
    [
        pytest.param(use, less, id=f"{use} without {lacks}")
        for use in POLICIES
        for lacks, less in reduced(POLICIES[use])
    ],
)
def test_nothing_in_the_policy_is_too_much(
    use: str, policy: Policy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any one of its actions something is refused."""
    with world_of(policy, tmp_path / "world", monkeypatch) as world:
        with suppress(OSSProviderError, AssertionError):
            USES[use](world)
        assert denials(world) != []
