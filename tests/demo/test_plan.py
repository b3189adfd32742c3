from __future__ import annotations

import pytest

from airflow_provider_oss.engine.plan import make_plan
from airflow_provider_oss.limits import GIB, KIB, MIB, MIN_PART_SIZE_BYTES
from tests.demo.plan import plan_for


@pytest.mark.parametrize(
    "size_bytes", [0, 1, 100 * KIB, 100 * KIB + 1, 300 * KIB, 5 * MIB, 200 * MIB, 40 * GIB, 2000 * GIB]
)
def test_every_file_with_a_middle_is_killed_in_it(size_bytes: int) -> None:
    """Any file is cut as OSS allows; one of several parts is killed twice with parts held and parts missing."""
    plan = plan_for(size_bytes)
    assert make_plan(size_bytes, plan.part_size_bytes).count == plan.parts
    assert sum(plan.part_sizes.values()) == size_bytes
    assert plan.is_single_put == (size_bytes <= MIN_PART_SIZE_BYTES)
    if plan.is_single_put:
        assert plan.kill_at == ()
    else:
        first, second = plan.kill_at
        assert 1 <= first <= second < plan.parts
