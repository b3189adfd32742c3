"""The form as Airflow below 3.2 asks the hook for it, with stand-ins for its libraries: Airflow 3.3 has none."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.provider_info import EXTRA_FIELDS, STANDARD_FIELDS


@dataclass
class StringField:
    label: str
    widget: Any
    validators: list[Any] = field(default_factory=list)
    description: str = ""


class PasswordField(StringField):
    pass


class TextWidget:
    pass


class PasswordWidget:
    pass


class Optional:
    pass


@dataclass
class AnyOf:
    values: list[str]


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put stand-ins in place of what the form is made with, as the server of Airflow 3.0 and 3.1 does."""
    names: dict[str, dict[str, Any]] = {
        "flask_appbuilder": {},
        "flask_appbuilder.fieldwidgets": {
            "BS3PasswordFieldWidget": PasswordWidget,
            "BS3TextFieldWidget": TextWidget,
        },
        "flask_babel": {"lazy_gettext": str},
        "wtforms": {"PasswordField": PasswordField, "StringField": StringField},
        "wtforms.validators": {"Optional": Optional, "any_of": AnyOf},
    }
    for name, attributes in names.items():
        module = ModuleType(name)
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)


def test_extra_fields_are_those_of_the_table() -> None:
    """There is a field for every extra that is no object, with the same label and help, and secrets are hidden."""
    fields = OSSHook.get_connection_form_widgets()
    assert set(fields) == set(EXTRA_FIELDS) - {"proxies", "role_policy"}
    for name, made in fields.items():
        meant = EXTRA_FIELDS[name]
        assert made.label == meant["label"]
        assert made.description.startswith(meant["description"])
        is_secret = meant["schema"].get("format") == "password"
        assert (type(made), type(made.widget)) == (
            (PasswordField, PasswordWidget) if is_secret else (StringField, TextWidget)
        )
    assert isinstance(fields["security_token"], PasswordField)


def test_choices_are_checked_and_told() -> None:
    """A field with a choice may stay empty, else must be one of the values, which its help lists."""
    style = OSSHook.get_connection_form_widgets()["addressing_style"]
    assert [type(validator) for validator in style.validators] == [Optional, AnyOf]
    assert style.validators[1].values == ["auto", "path", "virtual", "cname"]
    assert style.description.endswith("One of: auto, path, virtual, cname.")


def test_standard_fields_are_those_of_the_table() -> None:
    """Airflow's own fields get the same labels and placeholders, under the names that hooks use."""
    assert OSSHook.get_ui_field_behaviour() == {
        "hidden_fields": [],
        "relabeling": STANDARD_FIELDS["relabeling"],
        "placeholders": STANDARD_FIELDS["placeholders"],
    }


def test_airflow_finds_them() -> None:
    """Airflow below 3.2 looks for the two methods in the class itself, not in its bases."""
    assert {"get_connection_form_widgets", "get_ui_field_behaviour"} <= set(vars(OSSHook))
