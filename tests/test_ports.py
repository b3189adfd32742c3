"""The seams' names are public: a user's source or store takes all that it names from here."""

from __future__ import annotations

from airflow_provider_oss import file_range
from airflow_provider_oss.ports import Body, Buffer


def test_what_sources_give_is_named_here() -> None:
    """The types of a part's data, which ``SourceReader.data`` returns, are where they have always been."""
    assert (Body, Buffer) == (file_range.Body, file_range.Buffer)
