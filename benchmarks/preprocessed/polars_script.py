"""The work of `tandem preprocess` on the generated tables, as one would write it with polars in one process.

    python -m benchmarks.preprocessed.polars_script TABLES OUTPUT LANGUAGE_MODEL

It knows these columns and this split alone, and holds everything in memory. Its TFRecords, vocabularies and
quarantine are, byte for byte, those of the pipeline.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import tensorflow as tf

from benchmarks.preprocessed.tables import INTERACTIONS, ITEMS
from preprocessing.config import LanguageModelSource
from preprocessing.plan import SHARD_BYTES
from preprocessing.schema import RESERVED, Part
from preprocessing.schema.serialized import serialize
from preprocessing.text import LanguageModelFolder, Tokenizer, find_language_model
from preprocessing.write import QUARANTINE_FILE, shard_name

WINDOW, MAX_TOKENS = 1000, 32
TRAIN, VALIDATION, TEST = 0, 1, 2

Rows = Iterable[tuple[int, Mapping[str, Any]]]


def main(tables: Path, output: Path, language_model: str) -> None:
    """Reads, checks, splits, indexes, tokenises and writes."""
    output.mkdir(parents=True)
    size = sum((tables / name).stat().st_size for name in (INTERACTIONS, ITEMS))
    shards = -(-size // SHARD_BYTES)
    items, twice = _checked_items(tables / ITEMS)
    rows, refused = _checked_interactions(tables / INTERACTIONS, items)
    rows = _split(rows)
    item_index = _index(pl.concat([rows.select("item_id"), items.select("item_id")]), rows, "item_id")
    user_index = _index(rows.select("user_id"), rows, "user_id")
    values = _by_falling_count(items.group_by("category").agg(count=pl.len()), "category")
    for name, found in (("items", item_index), ("users", user_index), ("items.category", values)):
        found.select(found.columns[0]).write_csv(
            output / f"vocabulary-{name}.txt", include_header=False, quote_style="never"
        )
    _write_quarantine(output, refused, twice)
    histories = _histories(rows, item_index, user_index)
    model = find_language_model(LanguageModelSource(path=language_model, max_tokens=MAX_TOKENS), Path.cwd())
    _write(output, "items", _item_examples(items, item_index, values, model), shards)
    _write(output, "users", _user_examples(histories, user_index), shards)
    _write(output, "train", _train_examples(histories), shards)
    _write(output, "validation", _held_out_examples(histories, VALIDATION), shards)
    _write(output, "test", _held_out_examples(histories, TEST), shards)


def _read(path: Path) -> pl.DataFrame:
    table = pl.read_csv(path, separator="\t", infer_schema=False, quote_char='"')
    return table.with_columns(pl.all().str.strip_chars(" \t\n\v\f\r").fill_null("")).with_row_index(
        "line", offset=2
    )


def _checked_items(path: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Gives the first row of each item, and the later ones with the line of the first."""
    table = _read(path).with_columns(first=pl.col("line").min().over("item_id"))
    return table.filter(pl.col("line") == pl.col("first")), table.filter(pl.col("line") != pl.col("first"))


def _checked_interactions(path: Path, items: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    table = _read(path).with_columns(
        label=pl.col("rating").cast(pl.Float64, strict=False),
        seconds=pl.col("time").cast(pl.Float64, strict=False),
        known=pl.col("item_id").is_in(items["item_id"].implode()),
    )
    reason = (
        pl.when(pl.col("user_id") == "")
        .then(pl.lit("user_id is empty"))
        .when(pl.col("item_id") == "")
        .then(pl.lit("item_id is empty"))
        .when(pl.col("label").is_null())
        .then(pl.format("rating: '{}' is not a number", "rating"))
        .when(~pl.col("label").is_finite())
        .then(pl.format("rating: '{}' is not a finite number", "rating"))
        .when(pl.col("seconds").is_null())
        .then(pl.format("time: '{}' is not a number", "time"))
        .when(~pl.col("known"))
        .then(pl.format("item_id '{}' is not in the items table", "item_id"))
    )
    table = table.with_columns(reason=reason)
    good = table.filter(pl.col("reason").is_null()).select(
        "user_id", "item_id", "line", "label", time=(pl.col("seconds") * 1000).round().cast(pl.Int64)
    )
    return good, table.filter(pl.col("reason").is_not_null())


def _split(rows: pl.DataFrame) -> pl.DataFrame:
    """Sorts into histories; each user's last interaction tests, the one before validates."""
    rows = rows.sort("user_id", "time", "line")
    length, place = pl.len().over("user_id"), pl.int_range(pl.len()).over("user_id")
    from_end = length - place
    part = pl.when((length >= 3) & (from_end == 1)).then(TEST)
    return rows.with_columns(
        part=part.when((length >= 3) & (from_end == 2)).then(VALIDATION).otherwise(TRAIN)
    )


def _by_falling_count(counts: pl.DataFrame, name: str) -> pl.DataFrame:
    ordered = counts.sort(["count", name], descending=[True, False])
    return ordered.with_row_index("index", offset=RESERVED).select(name, "index", "count")


def _index(known: pl.DataFrame, rows: pl.DataFrame, name: str) -> pl.DataFrame:
    trained = rows.filter(pl.col("part") == TRAIN).group_by(name).agg(count=pl.len())
    counts = known.unique().join(trained, on=name, how="left").with_columns(pl.col("count").fill_null(0))
    return _by_falling_count(counts, name)


def _histories(rows: pl.DataFrame, items: pl.DataFrame, users: pl.DataFrame) -> pl.DataFrame:
    """Gives each user's interactions as lists, oldest first, by the index of the user."""
    indexed = rows.join(items.select("item_id", item="index"), on="item_id", maintain_order="left").join(
        users.select("user_id", user="index"), on="user_id", maintain_order="left"
    )
    lists = indexed.group_by("user", maintain_order=True).agg("item", "label", "time", "part")
    return lists.sort("user")


def _item_examples(
    items: pl.DataFrame, index: pl.DataFrame, values: pl.DataFrame, model: LanguageModelFolder
) -> Rows:
    tokenizer = Tokenizer(model.vocabulary, model.lower_case, MAX_TOKENS)
    table = (
        items.join(index, on="item_id")
        .join(values.select("category", value="index"), on="category")
        .with_columns(text=pl.concat_str(pl.col("title"), pl.lit(". "), pl.col("category")))
        .sort("index")
    )
    tokens = tokenizer(table["text"].to_list())
    for row, ids in zip(table.iter_rows(named=True), tokens, strict=True):
        yield (
            row["index"],
            {
                "index": [row["index"]],
                "id": [row["item_id"].encode()],
                "text": [row["text"].encode()],
                "tokens": ids,
                "feature/category": [row["value"]],
                "display": [row["title"].encode()],
                "count": [row["count"]],
            },
        )


def _user_examples(histories: pl.DataFrame, index: pl.DataFrame) -> Rows:
    named = (
        histories.select("user", "item").join(index.select("user_id", user="index"), on="user").sort("user")
    )
    for user, history, name in named.iter_rows():
        yield user, {"index": [user], "id": [name.encode()], "history": history}


def _train_examples(histories: pl.DataFrame) -> Rows:
    for user, items, labels, times, parts in histories.iter_rows():
        length = parts.count(TRAIN)
        for start, end in _windows(length):
            cut = slice(start, end)
            features = {
                "item": items[:length][cut],
                "label": labels[:length][cut],
                "time": times[:length][cut],
            }
            yield user, features | {"user": [user], "start": [start]}


def _windows(length: int) -> Iterator[tuple[int, int]]:
    start, end = 0, length % WINDOW or min(WINDOW, length)
    while start < length:
        yield start, end
        start, end = end, end + WINDOW


def _held_out_examples(histories: pl.DataFrame, part: int) -> Rows:
    for user, items, labels, times, parts in histories.iter_rows():
        if part in parts:
            at = parts.index(part)
            yield (
                user,
                {
                    "item": [items[at]],
                    "label": [labels[at]],
                    "time": [times[at]],
                    "history": items[:at],
                    "user": [user],
                },
            )


def _write(output: Path, part: Part, rows: Rows, shards: int) -> None:
    """Writes rows that are sorted by index."""
    writers = [tf.io.TFRecordWriter(str(output / shard_name(part, shard, shards))) for shard in range(shards)]
    for index, features in rows:
        writers[(index - RESERVED) % shards].write(serialize(features))
    for writer in writers:
        writer.close()


def _write_quarantine(output: Path, refused: pl.DataFrame, twice: pl.DataFrame) -> None:
    columns = {
        INTERACTIONS: ["user_id", "item_id", "rating", "time"],
        ITEMS: ["item_id", "title", "category"],
    }
    twice = twice.with_columns(reason=pl.format(f"duplicate of {ITEMS}:{{}}", "first"))
    with (output / QUARANTINE_FILE).open("w", encoding="utf-8") as stream:
        for file, rows in ((INTERACTIONS, refused), (ITEMS, twice)):
            found = rows.sort("line").select("line", "reason", pl.concat_str(columns[file], separator="\t"))
            for line, reason, raw in found.iter_rows():
                table = file.removesuffix(".tsv")
                values = {"table": table, "file": file, "line": line, "reason": reason, "row": raw}
                stream.write(json.dumps(values, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
