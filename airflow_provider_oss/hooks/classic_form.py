"""
The connection's form as Airflow below 3.2 asks a hook for it, made of the same table of fields.

Airflow 3.2 and later read the provider's information and never call this. wtforms and Flask-AppBuilder come with
Airflow 2.11; in 3.0 and 3.1 the api-server puts doubles of the few names below in their place.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_oss.connection_form import EXTRA_FIELDS, STANDARD_FIELDS


def widgets() -> dict[str, Any]:
    """
    Return a wtforms field for each extra field that is no object: those are written into the extra's JSON.

    Numbers are text fields: there is no decimal field among those that Airflow allows, and a whole-number one would
    make 0 of a time-out of 0.5. The hook reads numbers in texts.
    """
    return {name: _widget(field) for name, field in EXTRA_FIELDS.items() if not _is_object(field)}


def field_behaviour() -> dict[str, Any]:
    """Return what is hidden, renamed and shown as placeholder, with the names that hooks use."""
    return {name.replace("-", "_"): value for name, value in STANDARD_FIELDS.items()}


def _is_object(field: dict[str, Any]) -> bool:
    return "object" in field["schema"]["type"]


def _widget(field: dict[str, Any]) -> Any:
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import PasswordField, StringField
    from wtforms.validators import Optional, any_of

    is_secret = field["schema"].get("format") == "password"
    allowed = field["schema"].get("enum")
    description = f"{field['description']} One of: {', '.join(allowed)}." if allowed else field["description"]
    kind, shape = (PasswordField, BS3PasswordFieldWidget) if is_secret else (StringField, BS3TextFieldWidget)
    return kind(
        lazy_gettext(field["label"]),
        widget=shape(),
        validators=[Optional(), any_of(allowed)] if allowed else [Optional()],
        description=description,
    )
