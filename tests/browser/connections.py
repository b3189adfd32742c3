"""Airflow's page of connections and its form, in a user's words."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_oss.hooks.oss import OSSHook
from airflow_provider_oss.provider_info import EXTRA_FIELDS

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_OTHER_FIELDS: Final = "Extra Fields"


def kind_of(name: str) -> str:
    """Return how the form asks for an extra field: choice, secret, number or text."""
    schema = EXTRA_FIELDS[name]["schema"]
    if "enum" in schema:
        return "choice"
    if schema.get("format") == "password":
        return "secret"
    return "number" if {"number", "integer"} & set(schema["type"]) else "text"


def section_of(name: str) -> str:
    """Return the fold that an extra field is in."""
    return str(EXTRA_FIELDS[name]["schema"].get("section", _OTHER_FIELDS))


@dataclass(frozen=True, slots=True)
class TestResult:
    """What the Test button makes appear."""

    __test__ = False

    title: str
    message: str
    box: Locator


class ConnectionForm:
    """The form that is open. Only one fold of it is open at a time."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.dialog = page.get_by_role("dialog")

    def standard(self, label: str) -> Locator:
        """Return one of Airflow's own fields by the label that we gave it."""
        return self.dialog.get_by_role("region", name="Standard Fields").get_by_label(label, exact=True)

    def extra_field(self, name: str) -> Locator:
        """Open the fold of an extra field and return what is typed or clicked into."""
        self.open(section_of(name))
        if kind_of(name) in ("choice", "number"):
            role: Any = "combobox" if kind_of(name) == "choice" else "spinbutton"
            return self.dialog.get_by_role(role, name=EXTRA_FIELDS[name]["label"], exact=True)
        return self.dialog.locator(f"#element_{name}")

    def open(self, section: str) -> None:
        """Unfold a section, unless it is."""
        button = self.dialog.get_by_role("button", name=section, exact=True)
        if button.get_attribute("aria-expanded") != "true":
            button.click()

    def fill_standard(self, values: dict[str, str]) -> None:
        """Fill Airflow's own fields, by label."""
        self.open("Standard Fields")
        for label, value in values.items():
            self.standard(label).fill(value)

    def fill_extra(self, name: str, value: Any) -> None:
        """Fill an extra field as a user does: choose, or type."""
        field = self.extra_field(name)
        if kind_of(name) == "choice":
            field.click()
            self.page.get_by_role("option", name=value, exact=True).click()
        elif isinstance(value, dict):
            # Key by key: what the form does with half a JSON text is part of the test
            field.press_sequentially(json.dumps(value))
        else:
            field.fill(str(value))

    def save(self) -> None:
        """Save, and wait until Airflow has it."""
        with self.page.expect_response(lambda answer: answer.request.method in ("POST", "PATCH")) as answer:
            self.dialog.get_by_role("button", name="Save").click()
        assert answer.value.ok, answer.value.text()
        self.dialog.wait_for(state="hidden")


class ConnectionsPage:
    """The list of connections."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def add(self, conn_id: str) -> ConnectionForm:
        """Open the form for a new connection of our type."""
        self._load()
        self.page.get_by_role("button", name="Add Connection").click()
        form = ConnectionForm(self.page)
        form.dialog.get_by_label("Connection ID").fill(conn_id)
        form.dialog.get_by_label("Connection Type").click()
        self.page.get_by_role("option", name=OSSHook.hook_name, exact=True).click()
        form.standard("Endpoint").wait_for()
        return form

    def edit(self, conn_id: str) -> ConnectionForm:
        """Open the form of a stored connection."""
        self._load()
        self._row(conn_id).get_by_role("button", name="Edit Connection").click()
        form = ConnectionForm(self.page)
        form.standard("Endpoint").wait_for()
        return form

    def test(self, conn_id: str) -> TestResult:
        """Press the Test button of a stored connection and read what appears."""
        self._load()
        self._row(conn_id).get_by_role("button", name="Test Connection").click()
        box = self.page.get_by_role("status").filter(has_text="Test Connection")
        # Read in one go: it goes away by itself
        title, _, message = box.inner_text().partition("\n")
        return TestResult(title, message, box)

    def _row(self, conn_id: str) -> Locator:
        return self.page.get_by_role("row").filter(has=self.page.get_by_role("cell", name=conn_id, exact=True))

    def _load(self) -> None:
        """Load the page anew, without the messages of earlier tests."""
        self.page.goto(f"{self.url}/connections")
