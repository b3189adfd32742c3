"""Every row of the table, at every call that it names, over http and https."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from tests.clients.support import make_certificate
from tests.hostile.exchanges import BOTH, Row
from tests.hostile.playing import Stage, play
from tests.hostile.rows import ROWS
from tests.hostile.server import HostileServer

_ENOUGH = 4
"""So many broken plays of a row say what is wrong with it; each may wait for a timeout."""

PLAYS = [pytest.param(row, scheme, id=f"{row.title}-{scheme}") for row in ROWS for scheme in row.schemes]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """A hostile server for each scheme."""
    folder = tmp_path_factory.mktemp("hostile")
    certificate = make_certificate(folder)
    with HostileServer() as plain, HostileServer(certificate) as secure:
        http, https = BOTH
        yield {http: Stage(plain, True, folder), https: Stage(secure, str(certificate.certificate), folder)}  # noqa: FBT003 - settings' own value


@pytest.mark.parametrize(("row", "scheme"), PLAYS)
def test_exchange(stages: dict[str, Stage], row: Row, scheme: str) -> None:
    """A hostile answer ends as the table states, once and throughout, in bounds, and the next answers are right."""
    broken: list[str] = []
    for call, throughout in product(row.calls, (True,) if row.is_circle else (False, True)):
        if len(broken) == _ENOUGH:
            break
        try:
            play(stages[scheme], row, call, throughout=throughout)
        except AssertionError as error:
            broken.append(f"{call.name}, {'throughout' if throughout else 'once'}: {error}")
    assert not broken, "\n".join(broken)
