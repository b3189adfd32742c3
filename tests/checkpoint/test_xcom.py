"""Which task's XCom holds a checkpoint: real DAGs, and clear errors where none can."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator, TaskGroup, task

from airflow_provider_oss.checkpoint.xcom import choose_anchor
from airflow_provider_oss.exceptions import OSSInvalidArgument


class Nothing(BaseOperator):
    """A task."""

    def __init__(self, value: object = None, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.value = value

    def execute(self, context: object) -> None:
        """Do nothing."""


def dag_of(build: Callable[[BaseOperator], object]) -> BaseOperator:
    """Return the task ``upload`` of a DAG that ``build`` adds other tasks to."""
    with DAG("export", schedule=None):
        upload = Nothing(task_id="upload")
        build(upload)
    return upload


def named(*task_ids: str) -> list[BaseOperator]:
    return [Nothing(task_id=task_id) for task_id in task_ids]


def test_direct_upstream_first() -> None:
    """A direct upstream task is preferred, the first by name; those further up are not."""

    def build(upload: BaseOperator) -> None:
        far, b, c, after, apart = named("a_far", "b", "c", "a_after", "a_apart")
        far >> [c, b] >> upload >> after
        assert apart is not None

    assert choose_anchor(dag_of(build), None) == "b"


def test_direct_downstream_second() -> None:
    """Without an upstream task a direct downstream one is chosen, before tasks that are apart."""

    def build(upload: BaseOperator) -> None:
        b, c, _, far = named("b", "c", "a_apart", "a_far")
        upload >> [c, b] >> far

    assert choose_anchor(dag_of(build), None) == "b"


def test_any_other_task_last() -> None:
    """Without neighbours any other task of the DAG will do, the first by name."""
    assert choose_anchor(dag_of(lambda _: named("z", "y")), None) == "y"


def test_mapped_tasks_cannot_be_anchors() -> None:
    """A mapped task, alone or in a mapped group, has no instance that is sure to exist, and is passed over."""

    def build(upload: BaseOperator) -> None:
        mapped = Nothing.partial(task_id="a_mapped").expand(value=[1, 2])
        [plain] = named("plain")
        mapped >> upload

        @task
        def inside(value: int) -> int:
            return value

        with TaskGroup("b_group") as group:
            Nothing(task_id="member")
        assert group is not None
        assert plain is not None

    upload = dag_of(build)
    assert choose_anchor(upload, None) == "b_group.member"
    with pytest.raises(OSSInvalidArgument, match=r"xcom:a_mapped' cannot hold the checkpoint.*b_group.member, plain"):
        choose_anchor(upload, "a_mapped")


def test_member_of_a_mapped_group() -> None:
    """A task inside a mapped group is passed over like a mapped task."""
    from airflow.providers.common.compat.sdk import task_group  # noqa: PLC0415

    @task_group(group_id="a_group")
    def grouped(value: int) -> None:
        Nothing(task_id="member", value=value)

    def build(upload: BaseOperator) -> None:
        grouped.expand(value=[1, 2]) >> upload
        named("plain")

    assert choose_anchor(dag_of(build), None) == "plain"


def test_alone_in_its_dag() -> None:
    """A task without another in its DAG is told why, and what to use instead."""
    with pytest.raises(OSSInvalidArgument, match=r"'upload'.*no other unmapped task.*'variable', or 'task_state'"):
        choose_anchor(dag_of(lambda _: None), None)


def test_beside_mapped_tasks_only() -> None:
    """A task whose DAG has only mapped tasks besides it cannot use the store either."""
    upload = dag_of(lambda _: Nothing.partial(task_id="mapped").expand(value=[1]))
    with pytest.raises(OSSInvalidArgument, match="no other unmapped task"):
        choose_anchor(upload, None)


def test_wanted_anchor() -> None:
    """The anchor that the user names is taken, wherever it stands."""

    def build(upload: BaseOperator) -> None:
        before, _ = named("before", "apart")
        before >> upload

    assert choose_anchor(dag_of(build), "apart") == "apart"


@pytest.mark.parametrize("wanted", ["absent", "upload", ""])
def test_wanted_anchor_that_cannot_serve(wanted: str) -> None:
    """An anchor that does not exist, or is the task itself, is refused with the names of those that could serve."""
    upload = dag_of(lambda _: named("b", "a"))
    with pytest.raises(OSSInvalidArgument, match=f"checkpoint='xcom:{wanted}'.* one of a, b"):
        choose_anchor(upload, wanted)


def test_wanted_anchor_where_there_is_none() -> None:
    """In a DAG of one task the error says that there is nothing to name."""
    with pytest.raises(OSSInvalidArgument, match=r"one of \(there is none\)"):
        choose_anchor(dag_of(lambda _: None), "absent")
