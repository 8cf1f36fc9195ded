"""The BERT that reads texts, from the folder that preprocessing put beside the examples."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from preprocessing.schema import InputError
from trainer.language_model.seeded_dropout import hand_out, put_in
from trainer.language_model.token_states import token_states
from trainer.tracing import graph

SPECIAL_TOKENS = 2
"""[CLS] before a text and [SEP] after it."""
FULL_PRECISION = "float32"
HALF_PRECISION = "mixed_bfloat16"


class LanguageModel(tf.Module):
    """A TF BERT whose token vectors are averaged into one text vector (Reimers & Gurevych 2019).

    Args:
      folder: holds `config.json` and the weights.
      layers: keep the first n transformer layers; all when None.
      precision: what it computes in, a policy of Keras; its weights and vectors are float32.

    Attributes:
      bert: gives the `TFBertModel`. A function, so that tf.Module sees none of its weights and checkpoints
        hold those alone that are tuned.
      width: of a text vector, H.
      encode_batch: `encode`, traced once for batches of any size and length.

    Raises:
      InputError: the folder is no BERT checkpoint, or has fewer layers than asked for.
    """

    def __init__(self, folder: Path, layers: int | None, precision: str = FULL_PRECISION) -> None:
        super().__init__(name="language_model")
        from transformers import BertConfig, TFBertModel
        from transformers.utils import logging

        logging.set_verbosity_error()
        config = BertConfig.from_pretrained(folder)
        if layers is not None and layers > config.num_hidden_layers:
            raise InputError(
                f"model.language_model.layers: {layers} asked for, {folder} has {config.num_hidden_layers}"
            )
        config.num_hidden_layers = layers or config.num_hidden_layers
        try:
            with _policy(precision):
                bert = TFBertModel.from_pretrained(folder, config=config, add_pooling_layer=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: cannot be loaded as a BERT: {error}") from None
        put_in(bert)
        self.bert = lambda: bert
        self.width: int = config.hidden_size
        signature = [tf.TensorSpec([None, None], tf.int32)]
        self.encode_batch = graph(self.encode, signature)

    def encode(
        self, tokens: tf.Tensor, seed: tf.Tensor | None = None, noise: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Turns zero-padded token ids `[N, T]` into text vectors `[N, H]` of length 1, zero without text.

        Args:
          tokens: the token ids.
          seed: of BERT's own dropout `[2]`, which is at work in training alone; None without.
          noise: added to the word embeddings `[N, T, H]`.
        """
        bert = self.bert()
        present = tokens > 0
        embedded = tf.gather(bert.bert.embeddings.weight, tokens)
        if noise is not None:
            embedded += noise
        if seed is not None:
            hand_out(bert, seed)
        states = token_states(bert, tf.cast(embedded, bert.compute_dtype), present, seed is not None)
        weights = tf.cast(present, tf.float32)[:, :, None]
        total = tf.reduce_sum(tf.cast(states, tf.float32) * weights, 1)  # points where the average does
        # An empty text has nothing but its two special tokens, which would mean something, but nothing here.
        written = tf.reduce_sum(weights, 1) > SPECIAL_TOKENS
        return tf.where(written, tf.math.l2_normalize(total, -1), 0.0)


@contextlib.contextmanager
def _policy(name: str) -> Iterator[None]:
    """Layers that are made while the block lasts compute by this policy."""
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)
