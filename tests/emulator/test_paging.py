"""Pages of a listing against a listing that is computed all at once."""

from __future__ import annotations

from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.emulator.paging import page

NAMES = st.lists(st.text(st.sampled_from("ab/-\U0010ffff"), min_size=1, max_size=5), unique=True, max_size=25).map(
    sorted
)


def rolled_up(names: list[str], prefix: str, delimiter: str) -> list[str]:
    """The whole listing, slowly."""
    found = []
    for name in names:
        if not name.startswith(prefix):
            continue
        head, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name[len(prefix) :], "", "")
        entry = prefix + head + cut
        if entry not in found:
            found.append(entry)
    return found


@given(
    NAMES, st.text(st.sampled_from("ab/"), max_size=2), st.sampled_from(["", "/", "-", "\U0010ffff"]), st.integers(1, 4)
)
def test_pages_add_up(names: list[str], prefix: str, delimiter: str, limit: int) -> None:
    """Whatever names, prefix, delimiter and page size, all pages together are the whole listing."""
    seen: list[str] = []
    after = ""
    while True:
        start = bisect_right(names, after) if after else 0
        found = page(names, start=start, prefix=prefix, delimiter=delimiter, after=after, limit=limit)
        seen.extend(entry.name for entry in found.entries)
        if not found.truncated:
            break
        assert len(found.entries) == limit
        after = found.last_name
    assert seen == rolled_up(names, prefix, delimiter)


def test_a_position_tells_names_from_prefixes() -> None:
    """An entry that is a name knows where it stands in the list; a common prefix does not."""
    found = page(["a", "b/1", "b/2", "c"], start=0, prefix="", delimiter="/", after="", limit=10)
    assert [(entry.name, entry.position) for entry in found.entries] == [("a", 0), ("b/", None), ("c", 3)]
