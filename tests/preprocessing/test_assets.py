"""Assets from a local wheel (pip's --find-links) and a local HTTP server: real sources, no network."""

import functools
import hashlib
import http.server
import resource
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.cli import assets as command
from preprocessing.assets import CATALOGUE, Asset, cached, damaged, fetch, find_asset, resolve_path
from preprocessing.downloads import AssetFile, Web, Wheel
from preprocessing.schema import InputError

CONTENTS = {"numbers.txt": b"1 2 3\n" * 5000, "words.txt": "größer\n".encode() * 20000}


def make_wheel(folder: Path, contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    path = folder / "toy_asset-1.0-py3-none-any.whl"
    info = "toy_asset-1.0.dist-info"
    with zipfile.ZipFile(path, "w", compression) as wheel:
        for name, content in contents.items():
            wheel.writestr(f"toy/data/{name}", content)
        wheel.writestr("toy/other.bin", b"not wanted")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: toy-asset\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


def make_asset(*sources: Wheel | Web) -> Asset:
    files = tuple(
        AssetFile(name, len(content), hashlib.sha256(content).hexdigest())
        for name, content in CONTENTS.items()
    )
    return Asset("toy-asset", "a toy", "none", "https://example.org", files, sources)


def wheel_source(wheel: Path) -> Wheel:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return Wheel("toy-asset==1.0", digest, wheel.stat().st_size, "toy/data")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a pip that sees the folder `index` only."""
    (tmp_path / "index").mkdir()
    monkeypatch.setenv("TANDEM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    monkeypatch.delenv("TANDEM_ASSET_TOY_ASSET", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path: Path, cache: Path) -> Wheel:
    return wheel_source(make_wheel(tmp_path / "index", CONTENTS))


@pytest.fixture
def website(tmp_path: Path) -> Iterator[tuple[Path, Web]]:
    """A folder and the source that serves it."""
    folder = tmp_path / "site"
    folder.mkdir()
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, Web(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def leftovers(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def assert_one_line(error: pytest.ExceptionInfo[InputError], *parts: str) -> None:
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_a_wheel_is_unpacked_into_the_cache_and_nothing_else(cache: Path, wheel: Wheel) -> None:
    asset = make_asset(wheel)
    assert cached(asset) is None
    folder = fetch(asset)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS
    assert leftovers(cache) == ["toy-asset"]
    assert cached(asset) == folder
    assert damaged(asset) == []


def test_pip_may_say_more_than_a_pipe_holds(
    cache: Path, wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pip warns of each place that is not there.
    missing = (f"{tmp_path}/{number}" for number in range(1000))
    monkeypatch.setenv("PIP_FIND_LINKS", " ".join([str(tmp_path / "index"), *missing]))
    assert cached(make_asset(wheel)) is None
    assert fetch(make_asset(wheel)) == cached(make_asset(wheel))


def test_the_web_source_gives_the_same_files(cache: Path, website: tuple[Path, Web]) -> None:
    folder = fetch(make_asset(website[1]))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_the_second_source_serves_when_the_first_has_nothing(cache: Path, website: tuple[Path, Web]) -> None:
    missing = Wheel("toy-asset==1.0", "0" * 64, 1, "toy/data")
    assert sorted(path.name for path in fetch(make_asset(missing, website[1])).iterdir()) == sorted(CONTENTS)


def test_a_cached_asset_needs_no_source(cache: Path, wheel: Wheel) -> None:
    folder = fetch(make_asset(wheel))
    assert fetch(make_asset()) == folder


def test_a_truncated_cached_file_is_fetched_again(cache: Path, wheel: Wheel) -> None:
    asset = make_asset(wheel)
    (fetch(asset) / "words.txt").write_bytes(b"half")
    assert (fetch(asset) / "words.txt").read_bytes() == CONTENTS["words.txt"]


def test_damage_of_the_same_size_is_found(cache: Path, wheel: Wheel) -> None:
    asset = make_asset(wheel)
    (fetch(asset) / "words.txt").write_bytes(b"x" * len(CONTENTS["words.txt"]))
    assert damaged(asset) == ["words.txt"]


def test_wrong_bytes_in_a_wheel(cache: Path, tmp_path: Path) -> None:
    wrong = wheel_source(make_wheel(tmp_path / "index", CONTENTS | {"words.txt": b"forged"}))
    with pytest.raises(InputError) as error:
        fetch(make_asset(wrong))
    assert_one_line(error, "words.txt is 6 bytes with SHA-256", "expected", "TANDEM_ASSET_TOY_ASSET")
    assert leftovers(cache) == []


def test_a_wheel_that_is_not_the_pinned_one(cache: Path, wheel: Wheel) -> None:
    other = Wheel(wheel.requirement, "0" * 64, wheel.size, wheel.folder)
    with pytest.raises(InputError) as error:
        fetch(make_asset(other))
    assert_one_line(error, "toy_asset-1.0-py3-none-any.whl has SHA-256", "expected 0000")


@pytest.mark.parametrize("content", [b"forged", CONTENTS["words.txt"] + b"more"], ids=["short", "long"])
def test_wrong_bytes_from_the_web(cache: Path, website: tuple[Path, Web], content: bytes) -> None:
    site, source = website
    (site / "words.txt").write_bytes(content)
    with pytest.raises(InputError) as error:
        fetch(make_asset(source))
    assert_one_line(error, source.base, "words.txt is", "TANDEM_ASSET_TOY_ASSET")
    assert leftovers(cache) == []


def test_a_file_that_the_website_lacks(cache: Path, website: tuple[Path, Web]) -> None:
    site, source = website
    (site / "words.txt").unlink()
    with pytest.raises(InputError) as error:
        fetch(make_asset(source))
    assert_one_line(error, "words.txt: HTTP 404")


def test_no_network(cache: Path) -> None:
    # Port 1 of the loopback refuses; pip sees an empty folder.
    nowhere = Wheel("toy-asset==1.0", "0" * 64, 1, "toy/data"), Web("http://127.0.0.1:1")
    with pytest.raises(InputError) as error:
        fetch(make_asset(*nowhere))
    assert_one_line(
        error, "No matching distribution", "ConnectionError", "check the network", "TANDEM_ASSET_TOY"
    )
    assert leftovers(cache) == []


FETCH = """
import sys
sys.path[:0] = {path!r}
from tests_assets import make_asset, wheel_source
from preprocessing.assets import fetch
from preprocessing.schema import InputError
from pathlib import Path
try:
    print(fetch(make_asset(wheel_source(Path({wheel!r})))))
except InputError as error:
    print(error)
"""


def fetch_in_process(tmp_path: Path, wheel: Path, limit: int | None = None) -> subprocess.Popen[str]:
    """Fetches in a process of its own, which may write no file longer than `limit` bytes."""
    (tmp_path / "tests_assets.py").write_text(Path(__file__).read_text(encoding="utf-8"), encoding="utf-8")
    script = FETCH.format(path=[str(tmp_path)], wheel=str(wheel))
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) if limit else None,
    )


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["while pip downloads", "while unpacking"]
)
def test_no_room_on_the_disk(cache: Path, tmp_path: Path, compression: int) -> None:
    # A file size limit stands in for the full disk: the kernel refuses the write in the same way
    # (EFBIG for ENOSPC), and it needs no disk of its own. A compressed wheel stays below the limit.
    wheel = make_wheel(tmp_path / "index", CONTENTS, compression)
    process = fetch_in_process(tmp_path, wheel, limit=100_000)
    output, _ = process.communicate(timeout=60)
    assert output.startswith("no room for toy-asset in"), output
    assert output.count("\n") == 1
    assert "TANDEM_CACHE" in output
    assert leftovers(cache) == []


def test_a_cache_that_cannot_be_written(tmp_path: Path, cache: Path, wheel: Wheel) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(InputError) as error:
        fetch(make_asset(wheel))
    assert_one_line(error, "cannot be written to", "TANDEM_CACHE", "TANDEM_ASSET_TOY_ASSET")


def test_several_processes_at_once(cache: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "index", CONTENTS)
    processes = [fetch_in_process(tmp_path, wheel) for _ in range(3)]
    results = [process.communicate(timeout=120) for process in processes]
    assert [output.strip() for output, _ in results] == [str(cache / "toy-asset")] * 3
    assert sum("fetching toy-asset" in errors for _, errors in results) == 1
    assert leftovers(cache) == ["toy-asset"]


def test_the_users_own_folder_is_used_as_it_is(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv("TANDEM_ASSET_TOY_ASSET", str(tmp_path / "mine"))
    (tmp_path / "mine" / "words.txt").write_text("mine")
    with pytest.raises(InputError) as error:
        fetch(make_asset())
    assert_one_line(error, "TANDEM_ASSET_TOY_ASSET=", "has no numbers.txt")
    (tmp_path / "mine" / "numbers.txt").write_text("mine")
    assert fetch(make_asset()) == tmp_path / "mine"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("tables/a.csv", "/base/tables/a.csv"),
        ("/data/a.csv", "/data/a.csv"),
        ("~/a.csv", str(Path.home() / "a.csv")),
        ("gs://bucket/a-*.csv", "gs://bucket/a-*.csv"),
        ("hdfs://host/a.csv", "hdfs://host/a.csv"),
    ],
)
def test_paths_that_are_no_assets(reference: str, expected: str) -> None:
    assert resolve_path(reference, Path("/base")) == expected


def test_references_to_assets(cache: Path, wheel: Wheel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.assets.CATALOGUE", (make_asset(wheel),))
    assert resolve_path("asset://toy-asset", Path("/base")) == str(cache / "toy-asset")
    file = resolve_path("asset://toy-asset/words.txt", Path("/base"))
    assert Path(file).read_bytes() == CONTENTS["words.txt"]
    with pytest.raises(InputError, match=r"has no 'nope.txt'; it has: numbers.txt, words.txt"):
        resolve_path("asset://toy-asset/nope.txt", Path("/base"))
    with pytest.raises(InputError, match="no such asset; there are: toy-asset"):
        resolve_path("asset://toys/nope.txt", Path("/base"))


def test_the_command_lists_every_asset(cache: Path) -> None:
    result = CliRunner().invoke(command.app, [])
    assert result.exit_code == 0
    for asset in CATALOGUE:
        assert asset.name in result.output
        assert asset.variable in result.output
    assert result.output.count("not cached yet") == len(CATALOGUE)


def test_the_command_names_what_exists_when_asked_for_something_else(cache: Path) -> None:
    result = CliRunner().invoke(command.app, ["fetch", "imagenet"])
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "'imagenet': no such asset; there are: movielens-100k, all-minilm-l6-v2"
    assert find_asset("movielens-100k") is CATALOGUE[0]
