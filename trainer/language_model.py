"""The BERT that reads texts, from the folder that preprocessing put beside the examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import InputError

SPECIAL_TOKENS = 2
"""[CLS] before a text and [SEP] after it."""


class LanguageModel(tf.Module):
    """A TF BERT whose token vectors are averaged into one text vector (Reimers & Gurevych 2019).

    Args:
      folder: holds `config.json` and `model.safetensors`.
      layers: keep the first n transformer layers; all when None.

    Raises:
      InputError: the folder is no BERT checkpoint, or has fewer layers than asked for.
    """

    def __init__(self, folder: Path, layers: int | None) -> None:
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
            self._bert = TFBertModel.from_pretrained(folder, config=config, add_pooling_layer=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: cannot be loaded as a BERT: {error}") from None
        self.width: int = config.hidden_size

    def encode(self, tokens: tf.Tensor) -> tf.Tensor:
        """Turns zero-padded token ids `[N, T]` into text vectors `[N, H]` of length 1, zero without text."""
        mask = tf.cast(tokens > 0, tf.int32)
        states = self._bert(input_ids=tokens, attention_mask=mask, training=False).last_hidden_state
        weights = tf.cast(mask, states.dtype)[:, :, None]
        total = tf.reduce_sum(states * weights, 1) / tf.maximum(tf.reduce_sum(weights, 1), 1.0)
        # An empty text has nothing but its two special tokens, which would mean something, but nothing here.
        written = tf.reduce_sum(mask, 1, keepdims=True) > SPECIAL_TOKENS
        return tf.where(written, tf.math.l2_normalize(total, -1), 0.0)


def encode_table(
    model: LanguageModel, tokens: np.ndarray, advance: Callable[[int], None], batch_size: int = 64
) -> np.ndarray:
    """Encodes the texts of a whole table `[N, T]` into `[N, H]`.

    Texts are read by length, so that little padding is computed; `advance` is told how many are done.
    """
    encode = tf.function(model.encode, input_signature=[tf.TensorSpec([None, None], tf.int32)])
    vectors = np.zeros((len(tokens), model.width), np.float32)
    lengths = (tokens > 0).sum(1)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]  # reserved rows have no text
    for begin in range(0, len(order), batch_size):
        rows = order[begin : begin + batch_size]
        vectors[rows] = encode(tokens[rows, : lengths[rows].max()])
        advance(len(rows))
    return vectors
