"""Groups of three tasks that are made in one call: one that plans, one that is mapped, one that ends the work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from airflow_provider_oss.operators.arguments import declared_by
from airflow_provider_oss.operators.base import OSSBaseOperator

_OF_ONE: Final = {
    **dict.fromkeys(("inlets", "trigger_rule"), "plan"),
    **dict.fromkeys(("map_index_template", "max_active_tis_per_dag", "max_active_tis_per_dagrun"), "send"),
    **dict.fromkeys(("outlets", "on_success_callback"), "end"),
}
"""Arguments of Airflow that are about the group as a whole, or about the mapped task."""


class Kinds(NamedTuple):
    """The operators of a group, in their order; ``send`` is mapped."""

    plan: type[OSSBaseOperator]
    send: type[OSSBaseOperator]
    end: type[OSSBaseOperator]


class HandedOut(NamedTuple):
    """The arguments of each."""

    plan: dict[str, Any]
    send: dict[str, Any]
    end: dict[str, Any]


def handed_out(kinds: Kinds, given: Mapping[str, Any]) -> HandedOut:
    """
    Return what of the arguments of a group each of its operators is given: its own, and those of Airflow.

    Of Airflow's, ``inlets`` and ``trigger_rule`` are the first task's alone; ``map_index_template`` and the bounds of
    how many instances run are the mapped one's, ``outlets`` and ``on_success_callback`` the last one's.
    """
    of_any = {name for kind in kinds for name in declared_by(kind)}

    def of(place: str, kind: type[OSSBaseOperator]) -> dict[str, Any]:
        own = declared_by(kind)
        return {
            name: value
            for name, value in given.items()
            if (name in own or name not in of_any) and _OF_ONE.get(name, place) == place
        }

    return HandedOut(*(of(place, kind) for place, kind in zip(Kinds._fields, kinds, strict=True)))
