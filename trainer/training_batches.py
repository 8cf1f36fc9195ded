"""Reads the training part of `examples/` into batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import Schema
from preprocessing.schema.examples import feature_spec
from trainer.dataset import Continuation
from trainer.tracing import as_written

LENGTH_BUCKETS = (16, 8, 5, 4, 3, 2, 1)
"""Chunks are batched by length: up to a 16th of the full length, up to an 8th, and so on."""
WINDOWS_SHUFFLED = 50_000


def largest_batch(length: int, batch_size: int) -> tuple[int, int]:
    """The most windows, and the most places for interactions, of a batch of `TrainingBatches`."""
    places = batch_size * length
    return places // max(1, length // max(LENGTH_BUCKETS)), places


class TrainingBatches:
    """Shuffled batches of windows of at most `length` interactions, in another order each epoch.

    The order, where long histories are cut, and the seeds follow from `seed` and the number of the epoch: a
    training that was cut off goes on as if it had not been.

    A batch holds `batch_size` windows of full length, or so many more as they are shorter. With a
    `continuation` windows go on into it.

    Args:
      examples: the folder.
      schema: of these examples.
      length: the most interactions of a window.
      batch_size: windows of full length in a batch.
      seed: of all that chance decides.
      continuation: what followed the training interactions; None leaves it out.
    """

    def __init__(
        self,
        examples: Path,
        schema: Schema,
        length: int,
        batch_size: int,
        seed: int,
        continuation: Continuation | None = None,
    ) -> None:
        self._length = length
        self._batch_size = batch_size
        self._seed = seed
        files = [str(examples / name) for name in schema.files["train"]]
        records = tf.data.TFRecordDataset(files)
        windows = records.map(_parser(schema), tf.data.AUTOTUNE, deterministic=True)
        if continuation is not None:
            windows = windows.map(continuation.extend).concatenate(continuation.new_users())
        self._windows = windows.cache()

    @as_written
    def epoch(self, number: int) -> tf.data.Dataset:
        """The batches of an epoch, counted from 0.

        Yields:
          `user [B]`, `item [B, L]` (oldest first, zero-padded on the right), `label [B, L]` when the
          data has labels, `from_start [B]`: whether the window begins where the user's history does, and
          `seed [2]`: for what is drawn for the whole batch.
        """
        length, batch_size = self._length, self._batch_size
        seeds = np.random.SeedSequence((self._seed, number)).generate_state(6).astype(np.int64)
        windows = self._windows.shuffle(WINDOWS_SHUFFLED, seeds[0], reshuffle_each_iteration=False)
        cuts, draws = tf.constant(seeds[2:4]), tf.constant(seeds[4:6])
        chunks = windows.enumerate().flat_map(
            lambda place, window: _chunks(window, length, tf.random.fold_in(cuts, place))
        )
        # Chunks of one user come one after the other; this spreads them over batches.
        chunks = chunks.shuffle(8 * batch_size, seeds[1], reshuffle_each_iteration=False)
        # Chunks of about one length share a batch, the shorter the more of them: little padding is computed,
        # and every step has about as many interactions.
        widths = [max(1, length // part) for part in LENGTH_BUCKETS]
        batches = chunks.bucket_by_sequence_length(
            lambda chunk: tf.size(chunk["item"]),
            bucket_boundaries=[width + 1 for width in widths[:-1]],
            bucket_batch_sizes=[batch_size * length // width for width in widths],
        )
        seeded = batches.enumerate().map(lambda step, batch: batch | {"seed": tf.random.fold_in(draws, step)})
        return seeded.prefetch(tf.data.AUTOTUNE)


def _parser(schema: Schema) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    spec = feature_spec(schema, "train")

    def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
        example = tf.io.parse_single_example(record, spec)
        window = {name: example[name] for name in ("user", "item", "start")}
        return window | ({"label": example["label"]} if schema.label else {})

    return parse


def _chunks(window: dict[str, tf.Tensor], length: int, seed: tf.Tensor) -> tf.data.Dataset:
    # A history longer than a chunk is cut at a random phase, so that over the epochs every
    # position is seen with every length of context.
    size = tf.size(window["item"], out_type=tf.int64)
    phase = tf.random.stateless_uniform([], seed, 1, length + 1, tf.int64)
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
