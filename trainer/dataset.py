"""Reads `examples/` into what training needs: entity tables, windows and held-out cuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, Entity, Part, Schema
from preprocessing.schema.examples import feature_spec, read_batches


@dataclass(frozen=True)
class EntityTable:
    """Items or users as arrays; row n belongs to index n, the two reserved rows are empty.

    Attributes:
      ids: raw ids `[N]`, str.
      display: what people call them `[N]`, str; the id where there is no name.
      texts: the whole text `[N]`, str, as it was before it was cut into tokens; `""` without one.
      tokens: token ids `[N, T]`, zero-padded, or None without text.
      features: by name; `[N]` int for categorical, `[N, M]` zero-padded int for multi, `[N, V]`
        float for numeric and vector, NaN where not known.
      counts: training interactions `[N]`.
      history: all known interactions of a user, oldest first; empty for items.
    """

    ids: np.ndarray
    display: np.ndarray
    texts: np.ndarray
    tokens: np.ndarray | None
    features: dict[str, np.ndarray]
    counts: np.ndarray
    history: list[np.ndarray]


LENGTH_BUCKETS = (16, 8, 5, 4, 3, 2, 1)
"""Chunks are batched by length: up to a 16th of the full length, up to an 8th, and so on."""


def _padded(rows: list[np.ndarray], size: int, width: int, fill: float, dtype: Any) -> np.ndarray:
    table = np.full((size, width), fill, dtype)
    for index, row in enumerate(rows):
        table[index, : len(row)] = row[:width]
    return table


def read_entities(examples: Path, schema: Schema, part: Part) -> EntityTable:
    """Reads the `items` or `users` part, ordered by index."""
    entity: Entity = schema.items if part == "items" else schema.users
    ids = np.full(entity.size, "", object)
    display = np.full(entity.size, "", object)
    texts = np.full(entity.size, "", object)
    counts = np.zeros(entity.size, np.int64)
    names = [f"feature/{feature.name}" for feature in entity.features]
    ragged = [*names, *(["tokens"] if entity.text else []), *(["history"] if part == "users" else [])]
    rows: dict[str, list[np.ndarray]] = {name: [np.zeros(0)] * entity.size for name in ragged}
    for batch in read_batches(examples, schema, part):
        index = batch["index"].numpy()
        ids[index] = [value.decode() for value in batch["id"].numpy()]
        if part == "items":
            display[index] = [value.decode() for value in batch["display"].numpy()]
            counts[index] = batch["count"].numpy()
        if entity.text:
            texts[index] = [value.decode() for value in batch["text"].numpy()]
        for name in ragged:
            values, splits = batch[name].values.numpy(), batch[name].row_splits.numpy()
            for row, place in enumerate(index):
                rows[name][place] = values[splits[row] : splits[row + 1]]
    features: dict[str, np.ndarray] = {}
    for feature, name in zip(entity.features, names, strict=True):
        if feature.kind in ("numeric", "vector"):
            features[feature.name] = _padded(rows[name], entity.size, feature.length, np.nan, np.float32)
        else:
            width = 1 if feature.kind == "categorical" else max(1, max(map(len, rows[name])))
            table = _padded(rows[name], entity.size, width, 0, np.int64)
            features[feature.name] = table[:, 0] if feature.kind == "categorical" else table
    tokens = None
    if entity.text:
        width = max(2, max(map(len, rows["tokens"])))
        tokens = _padded(rows["tokens"], entity.size, width, 0, np.int32)
    display = np.where(display == "", ids, display)
    history = [row.astype(np.int64) for row in rows["history"]] if part == "users" else []
    return EntityTable(ids, display, texts, tokens, features, counts, history)


def _chunks(window: dict[str, tf.Tensor], length: int) -> tf.data.Dataset:
    # A history longer than a chunk is cut at a random phase, so that over the epochs every
    # position is seen with every length of context.
    size = tf.size(window["item"], out_type=tf.int64)
    phase = tf.random.uniform([], 1, length + 1, tf.int64)
    first = tf.cond(size > length, lambda: tf.minimum(phase, size), lambda: size)
    starts = tf.concat([[tf.constant(0, tf.int64)], tf.range(first, size, length, tf.int64)], 0)
    ends = tf.concat([starts[1:], [size]], 0)

    def cut(start: tf.Tensor, end: tf.Tensor) -> dict[str, tf.Tensor]:
        chunk = {
            "user": window["user"],
            "item": window["item"][start:end],
            "from_start": tf.equal(window["start"] + start, 0),
        }
        if "label" in window:
            chunk["label"] = window["label"][start:end]
        return chunk

    return tf.data.Dataset.from_tensor_slices((starts, ends)).map(cut)


@dataclass(frozen=True)
class Continuation:
    """What users did after their training interactions, to be trained on too.

    Attributes:
      ends: how many training interactions each user has `[U]` int64.
      items: what followed, by user index `[U, …]` int64, oldest first.
      labels: of these `[U, …]` float32; empty without labels.
    """

    ends: tf.Tensor
    items: tf.RaggedTensor
    labels: tf.RaggedTensor

    def extend(self, window: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Puts it behind the last window of a user; other windows stay as they are."""
        last = tf.equal(window["start"] + tf.size(window["item"], tf.int64), self.ends[window["user"]])

        def behind(name: str, rows: tf.RaggedTensor) -> tf.Tensor:
            more = rows[window["user"]]
            return tf.concat([window[name], tf.cond(last, lambda: more, lambda: more[:0])], 0)

        extended = window | {"item": behind("item", self.items)}
        return extended | ({"label": behind("label", self.labels)} if "label" in window else {})

    def new_users(self) -> tf.data.Dataset:
        """A window for each user who has no other."""
        new = tf.where((self.ends == 0) & (self.items.row_lengths() > 0))[:, 0]

        def window(user: tf.Tensor) -> dict[str, tf.Tensor]:
            made = {"user": user, "item": self.items[user], "start": tf.constant(0, tf.int64)}
            return made | ({"label": self.labels[user]} if self.labels.flat_values.shape[0] else {})

        return tf.data.Dataset.from_tensor_slices(new).map(window)


def read_continuation(examples: Path, schema: Schema) -> Continuation:
    """Reads the validation part as what continues the training part."""
    size = schema.users.size
    ends = np.zeros(size, np.int64)
    for batch in read_batches(examples, schema, "train"):
        reach = batch["start"].numpy() + batch["item"].row_lengths().numpy()
        np.maximum.at(ends, batch["user"].numpy(), reach)
    items = [np.zeros(0, np.int64)] * size
    labels = [np.zeros(0, np.float32)] * size
    for batch in read_batches(examples, schema, "validation"):
        for row, user in enumerate(batch["user"].numpy()):
            items[user], labels[user] = batch["item"][row].numpy(), batch["label"][row].numpy()
    lengths = np.array([len(row) for row in items])
    label_lengths = np.array([len(row) for row in labels])
    return Continuation(
        tf.constant(ends),
        tf.RaggedTensor.from_row_lengths(np.concatenate(items), lengths),
        tf.RaggedTensor.from_row_lengths(np.concatenate(labels), label_lengths),
    )


def largest_batch(length: int, batch_size: int) -> tuple[int, int]:
    """The most windows, and the most places for interactions, of a batch of `training_batches`."""
    places = batch_size * length
    return places // max(1, length // max(LENGTH_BUCKETS)), places


def training_batches(
    examples: Path,
    schema: Schema,
    length: int,
    batch_size: int,
    seed: int,
    continuation: Continuation | None = None,
) -> tf.data.Dataset:
    """Shuffled batches of windows of at most `length` interactions, anew each epoch.

    A batch holds `batch_size` windows of full length, or so many more as they are shorter. With a
    `continuation` windows go on into it.

    Yields:
      `user [B]`, `item [B, L]` (oldest first, zero-padded on the right), `label [B, L]` when the
      data has labels, `from_start [B]`: whether the window begins where the user's history does, and
      `seed [2]`: for what is drawn for the whole batch.
    """
    spec = feature_spec(schema, "train")

    def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
        example = tf.io.parse_single_example(record, spec)
        window = {name: example[name] for name in ("user", "item", "start")}
        return window | ({"label": example["label"]} if schema.label else {})

    files = [str(examples / name) for name in schema.files["train"]]
    windows = tf.data.TFRecordDataset(files).map(parse, tf.data.AUTOTUNE, deterministic=True)
    if continuation is not None:
        windows = windows.map(continuation.extend).concatenate(continuation.new_users())
    windows = windows.cache().shuffle(50_000, seed=seed, reshuffle_each_iteration=True)
    chunks = windows.flat_map(lambda window: _chunks(window, length))
    # Chunks of one user come one after the other; this spreads them over batches.
    chunks = chunks.shuffle(8 * batch_size, seed=seed, reshuffle_each_iteration=True)
    # Chunks of about one length share a batch, the shorter the more of them: little padding is computed,
    # and every step has about as many interactions.
    widths = [max(1, length // part) for part in LENGTH_BUCKETS]
    batches = chunks.bucket_by_sequence_length(
        lambda chunk: tf.size(chunk["item"]),
        bucket_boundaries=[width + 1 for width in widths[:-1]],
        bucket_batch_sizes=[batch_size * length // width for width in widths],
    )
    seeds = tf.data.Dataset.random(seed, rerandomize_each_iteration=True).batch(2, drop_remainder=True)
    seeded = tf.data.Dataset.zip((batches, seeds)).map(lambda batch, seed: batch | {"seed": seed})
    return seeded.prefetch(tf.data.AUTOTUNE)


@dataclass(frozen=True)
class Cut:
    """One held-out case: what was known, and what came after it.

    Attributes:
      user: index.
      history: item indices before the cut, oldest first `[H]`.
      items: target indices `[T]`, each once, none of which is in the history: to find what somebody
        already has is another task, and the served model never recommends it.
      labels: their newest labels `[T]`, or empty.
      repeats: how many held-out interactions were left out for that.
    """

    user: int
    history: np.ndarray
    items: np.ndarray
    labels: np.ndarray
    repeats: int


def read_cuts(examples: Path, schema: Schema, part: Part) -> Iterator[Cut]:
    """Reads the `validation` or `test` part in file order; a cut may be left without targets."""
    for batch in read_batches(examples, schema, part):
        for row in range(len(batch["user"])):
            history, items, labels = (batch[name][row].numpy() for name in ("history", "item", "label"))
            newest = {int(item): place for place, item in enumerate(items)}
            known = set(history.tolist())
            places = np.array([place for item, place in newest.items() if item not in known], np.int64)
            labels = labels[places] if schema.label else labels
            user = int(batch["user"][row])
            yield Cut(user, history, items[places], labels, len(items) - len(places))


def new_items(examples: Path, schema: Schema, items: EntityTable, refitted: bool) -> np.ndarray:
    """Tells which items a training saw no interaction with.

    Args:
      examples: the folder that was trained on.
      schema: of these examples.
      items: of these examples.
      refitted: whether the training took in the validation part in the end.

    Returns:
      `[N]` bool; the reserved indices are not new.
    """
    new: np.ndarray = items.counts == 0
    new[:RESERVED] = False
    if refitted:
        for cut in read_cuts(examples, schema, "validation"):
            new[cut.items] = False
    return new


def history_batch(histories: list[np.ndarray], length: int) -> np.ndarray:
    """The newest `length` items of each history `[B, length]`, oldest first, zero-padded on the right."""
    batch = np.zeros((len(histories), length), np.int64)
    for row, history in enumerate(histories):
        known = history[history >= RESERVED][-length:]
        batch[row, : len(known)] = known
    return batch
