"""`tandem assets`: lists, fetches and verifies the data set and the language model."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from preprocessing import assets
from preprocessing.downloads import total_size
from preprocessing.schema import InputError

app = typer.Typer(
    help="Lists, fetches and verifies the data set and the language model that Tandem gets by itself.\n\n"
    "They are fetched on first need too, so this command is never required. Each is kept in the cache "
    "folder (the user's, or **TANDEM_CACHE**) and checked by SHA-256. To use files of your own, set the "
    "variable that the list names to a folder that holds them.",
    rich_markup_mode="markdown",
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="All of them when not given.")]


@app.callback(invoke_without_command=True)
def list_assets(context: typer.Context) -> None:
    """Shows each asset with its size, its licence and where it is."""
    if context.invoked_subcommand is not None:
        return
    console = Console(soft_wrap=True, highlight=False)
    for asset in assets.CATALOGUE:
        console.print(f"[bold]{asset.name}[/bold]  {asset.title}, {total_size(asset.files) / 1e6:,.1f} MB")
        console.print(f"  licence   {asset.licence}")
        console.print(f"  homepage  {asset.homepage}")
        console.print(f"  sources   {', then '.join(source.describe() for source in asset.sources)}")
        console.print(f"  where     {_place(asset)}")
        console.print(f"  your own  {asset.variable}=FOLDER")


@app.command()
def fetch(names: Names = None) -> None:
    """Downloads assets into the cache, unless they are there already, and prints where they are."""
    for asset in _chosen(names):
        print(assets.fetch(asset))


@app.command()
def verify(names: Names = None) -> None:
    """Reads every byte of the cached assets and compares it with the pinned SHA-256."""
    damage: list[str] = []
    for asset in _chosen(names):
        if assets.cached(asset) is None:
            print(f"{asset.name}: not cached")
            continue
        damaged = assets.damaged(asset)
        damage += [str(assets.cache_folder() / asset.name / name) for name in damaged]
        print(f"{asset.name}: {'damaged' if damaged else 'as it should be'}")
    if damage:
        raise InputError(f"damaged: {', '.join(damage)}; delete these and run `tandem assets fetch`")


def _chosen(names: list[str] | None) -> list[assets.Asset]:
    return [assets.find_asset(name) for name in names] if names else list(assets.CATALOGUE)


def _place(asset: assets.Asset) -> str:
    try:
        folder = assets.override(asset)
    except InputError as error:
        return str(error)
    if folder is not None:
        return f"{folder} (your own)"
    folder = assets.cached(asset)
    return str(folder) if folder else "not cached yet"
