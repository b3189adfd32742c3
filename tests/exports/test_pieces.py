"""Where a result is cut, and that no two objects of an export have the same key."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_oss.exceptions import OSSInvalidArgument
from airflow_provider_oss.exports.columns import Row
from airflow_provider_oss.exports.formats import Pieces, Split, check_keys, manifest_key, piece_key


def rows(count: int) -> Iterator[Row]:
    return ((number,) for number in range(count))


def cut(pieces: Pieces, row_bytes: int = 1) -> list[list[int]]:
    """Read all pieces; each row is written as so many bytes."""
    found = []
    while pieces.has_more():
        piece = []
        for batch in pieces.piece():
            piece += [row[0] for row in batch]
            pieces.size_bytes += row_bytes * len(batch)
        assert pieces.rows == len(piece)
        found.append(piece)
    return found


@given(st.integers(0, 60), st.integers(1, 10), st.integers(1, 20))
def test_by_rows(count: int, batch_rows: int, split_rows: int) -> None:
    """Every piece but the last has exactly so many rows, and no row is lost or twice."""
    found = cut(Pieces(rows(count), batch_rows, Split(rows=split_rows)))
    assert [row for piece in found for row in piece] == list(range(count))
    assert all(len(piece) == split_rows for piece in found[:-1])
    assert all(0 < len(piece) <= split_rows for piece in found)


@given(st.integers(0, 60), st.integers(1, 10), st.integers(1, 50), st.integers(0, 9))
def test_by_bytes(count: int, batch_rows: int, split_bytes: int, row_bytes: int) -> None:
    """A piece ends with the batch that reaches the size: it has at least that, and at most a batch more."""
    found = cut(Pieces(rows(count), batch_rows, Split(size_bytes=split_bytes)), row_bytes)
    assert [row for piece in found for row in piece] == list(range(count))
    for piece in found[:-1]:
        assert split_bytes <= len(piece) * row_bytes < split_bytes + batch_rows * row_bytes


def test_both_limits() -> None:
    """Whichever limit comes first ends the piece."""
    assert [len(piece) for piece in cut(Pieces(rows(10), 2, Split(rows=3, size_bytes=4)), 2)] == [2, 2, 2, 2, 2]
    assert [len(piece) for piece in cut(Pieces(rows(7), 2, Split(rows=3, size_bytes=100)), 2)] == [3, 3, 1]


def test_one_piece() -> None:
    """Without limits there is one piece, of nothing too."""
    assert not Split().is_wanted
    assert cut(Pieces(rows(5), 2, Split())) == [[0, 1, 2, 3, 4]]
    nothing = Pieces(rows(0), 2, Split())
    assert list(nothing.piece()) == []
    assert nothing.rows == 0


def test_looking_ahead_takes_nothing_away() -> None:
    """Asking for more, however often, loses no row and does not pile up."""
    pieces = Pieces(rows(5000), 1, Split(rows=1))
    found = 0
    while pieces.has_more() and pieces.has_more():
        found += sum(len(batch) for batch in pieces.piece())
    assert found == 5000


@pytest.mark.parametrize("split", [{"rows": 0}, {"size_bytes": -1}])
def test_limits_that_cannot_be(split: dict[str, int]) -> None:
    """A limit of nothing is refused."""
    with pytest.raises(OSSInvalidArgument, match="must be at least 1"):
        Split(**split)


@pytest.mark.parametrize(
    ("key", "piece", "manifest"),
    [
        ("a/b.csv", "a/b-00007.csv", "a/b-manifest.json"),
        ("a.b/c.csv.gz", "a.b/c-00007.csv.gz", "a.b/c-manifest.json"),
        ("c.2026.parquet", "c.2026-00007.parquet", "c.2026-manifest.json"),
        ("a.b/c", "a.b/c-00007", "a.b/c-manifest.json"),
        ("a/.zst", "a/.zst-00007", "a/.zst-manifest.json"),
        ("a/{index}", "a/00007", "a/manifest.json"),
        ("oss://b/x/part-{index}.csv", "oss://b/x/part-00007.csv", "oss://b/x/part-manifest.json"),
        ("{index}/a.csv", "00007/a.csv", "manifest/a.json"),
        ("a/b.{index}", "a/b.00007", "a/b-manifest.json"),
    ],
)
def test_keys(key: str, piece: str, manifest: str) -> None:
    """The number is where the user says, else before the suffix; the manifest is beside the pieces."""
    assert piece_key(key, 7) == piece
    assert manifest_key(key) == manifest


@given(st.text(min_size=1), st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_two_pieces_have_one_key(key: str, first: int, second: int) -> None:
    """Other numbers lead to other keys, and none is the manifest's."""
    assert (piece_key(key, first) == piece_key(key, second)) == (first == second)
    assert piece_key(key, first) != manifest_key(key)


@pytest.mark.parametrize(
    ("key", "manifest", "is_split", "message"),
    [
        ("a-{index}.csv", None, False, "numbers pieces, but there is one object"),
        ("a.csv", "a.csv", False, "is the key of exported rows too"),
        ("a.csv", "a-00123.csv", True, "is the key of exported rows too"),
        ("{index}.csv", "1234567.csv", True, "is the key of exported rows too"),
        ("p100000/o-{index}.csv", "p100000/o-00001.csv", True, "is the key of exported rows too"),
        ("p00000/o.csv", "p00000/o-00001.csv", True, "is the key of exported rows too"),
        ("{index}/{index}0.csv", "00012/000120.csv", True, "is the key of exported rows too"),
    ],
)
def test_keys_in_each_others_way(key: str, manifest: str | None, message: str, *, is_split: bool) -> None:
    """A manifest that would replace rows, and numbers where there are no pieces, are refused."""
    with pytest.raises(OSSInvalidArgument, match=message):
        check_keys(key, manifest, is_split=is_split)


@pytest.mark.parametrize("manifest", [None, "a-manifest.json", "a-x.csv", "a-.csv", "a.csv.json"])
def test_keys_that_are_fine(manifest: str | None) -> None:
    """Any other key will do."""
    check_keys("a.csv", manifest, is_split=True)
    check_keys("a.csv", manifest, is_split=False)


@pytest.mark.parametrize(
    ("key", "manifest"),
    [("{index}/{index}.csv", "00001/00002.csv"), ("a.{index}", "ax00001"), ("p00000/o.csv", "p00001/o-00000.csv")],
)
def test_manifest_that_only_looks_like_a_piece(key: str, manifest: str) -> None:
    """A key that no piece can have is taken: it is compared as it is, with one number for all of a piece's."""
    check_keys(key, manifest, is_split=True)


@given(
    st.lists(st.sampled_from(["{index}", "00000", "1", "/", ".", "-", "a"]), min_size=1).map("".join),
    st.integers(0, 10**6),
)
def test_a_piece_is_never_the_manifest(key: str, index: int) -> None:
    """Whatever the key, a manifest with the key of one of its pieces is refused."""
    with pytest.raises(OSSInvalidArgument):
        check_keys(key, piece_key(key, index), is_split=True)
