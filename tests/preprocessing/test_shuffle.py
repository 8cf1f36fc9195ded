"""Both shuffles group alike; through files, the runner sees only where the bytes stand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import apache_beam as beam
import pytest

from preprocessing.runner import run_pipeline, shuffle_beside
from preprocessing.shuffle import FileShuffle, RunnerShuffle, Shuffle

PAIRS = [(number % 3, bytes([number]) * 1000 * number) for number in range(20)]


def note(folder: Path, key: object, values: Iterable[bytes]) -> None:
    (folder / f"{key}").write_bytes(b"|".join(sorted(values)))


def grouped(shuffle: Shuffle, seen: Path, found: Path, workers: int) -> dict[str, bytes]:
    """Groups the pairs; the bytes of each group and, in `seen`, what the runner groups are written."""
    for folder in (seen, found):
        folder.mkdir()

    def lay(pipeline: beam.Pipeline) -> None:
        put = shuffle.put("Put", pipeline | beam.Create(PAIRS))
        groups = put | beam.GroupByKey()
        _ = groups | "Seen" >> beam.MapTuple(lambda key, values: note(seen, key, values))
        _ = (
            groups
            | "Get" >> beam.Map(shuffle.get_all)
            | "Found" >> beam.MapTuple(lambda key, values: note(found, key, values))
        )

    run_pipeline(lay, workers, ())
    return {path.name: path.read_bytes() for path in found.iterdir()}


@pytest.mark.parametrize("workers", [1, 2])
def test_both_shuffles_group_alike(tmp_path: Path, workers: int) -> None:
    (tmp_path / "files").mkdir()
    shuffle = FileShuffle(tmp_path / "files")
    found = grouped(shuffle, tmp_path / "seen", tmp_path / "found", workers)
    expected = grouped(RunnerShuffle(), tmp_path / "all", tmp_path / "expected", 1)
    assert found == expected
    assert sum(map(len, found.values())) > sum(len(data) for _, data in PAIRS)
    assert max(path.stat().st_size for path in (tmp_path / "seen").iterdir()) < 1000
    assert max(path.stat().st_size for path in (tmp_path / "all").iterdir()) > 50_000
    # One file a bundle.
    assert 1 <= len(list((tmp_path / "files").iterdir())) <= workers


def test_a_piece_can_be_read_at_once(tmp_path: Path) -> None:
    for folder in ("files", "found"):
        (tmp_path / folder).mkdir()
    shuffle, found = FileShuffle(tmp_path / "files"), tmp_path / "found"

    def lay(pipeline: beam.Pipeline) -> None:
        put = shuffle.put("Put", pipeline | beam.Create([("one", b"1"), ("two", b"22")]))
        _ = put | "Note" >> beam.MapTuple(lambda key, piece: note(found, key, [shuffle.get(piece)]))

    run_pipeline(lay, 1, ())
    assert {path.name: path.read_bytes() for path in found.iterdir()} == {"one": b"1", "two": b"22"}


def test_files_are_for_paths_and_are_deleted(tmp_path: Path) -> None:
    with shuffle_beside(str(tmp_path)) as shuffle:
        assert isinstance(shuffle, FileShuffle)
        assert [path.name for path in tmp_path.iterdir()] == ["shuffle"]
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError), shuffle_beside(str(tmp_path)):
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_workers_share_no_files_when_the_output_is_in_a_bucket() -> None:
    with shuffle_beside("gs://bucket/folder") as shuffle:
        assert isinstance(shuffle, RunnerShuffle)
