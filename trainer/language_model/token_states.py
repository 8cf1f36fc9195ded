"""What a BERT says of each token, computed with as few operations as there can be."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

UNSEEN = -10_000.0
"""Added to the attention to what is no token, as `transformers` does."""


def token_states(bert: Any, embedded: tf.Tensor, present: tf.Tensor, training: bool) -> tf.Tensor:
    """Does what calling a `TFBertModel` does, by its own layers.

    The tokens of all texts lie end to end, so that each dense layer is one matrix product: called with texts
    side by side, Keras works out shapes around every one of them, which for a short text is twice as many
    operations (and as much to trace). The same values come of it.

    Args:
      bert: the `TFBertModel`.
      embedded: word embeddings `[N, T, H]`.
      present: whether there is a token `[N, T]` bool.
      training: whether dropout is at work.

    Returns:
      the last layer's states `[N, T, H]`.
    """
    main, config = bert.bert, bert.config
    shape = tf.shape(embedded)
    count, length = shape[0], shape[1]
    width, heads = config.hidden_size, config.num_attention_heads
    words, dtype = main.embeddings, embedded.dtype
    # All tokens are of the first type: there is no second text.
    place = words.position_embeddings[:length] + words.token_type_embeddings[0]
    states = tf.reshape(embedded + tf.cast(place, dtype), [-1, width])
    states = words.dropout(_normalised(words.LayerNorm, states), training=training)
    unseen = tf.cast(tf.where(present, 0.0, UNSEEN), dtype)[:, None, None, :]

    def by_head(values: tf.Tensor) -> tf.Tensor:
        return tf.transpose(tf.reshape(values, [count, length, heads, width // heads]), [0, 2, 1, 3])

    for layer in main.encoder.layer:
        attention, output = layer.attention.self_attention, layer.attention.dense_output
        projections = (attention.query, attention.key, attention.value)
        query, key, value = (by_head(projection(states, training=training)) for projection in projections)
        likeness = tf.matmul(query, key, transpose_b=True) / tf.cast(attention.sqrt_att_head_size, dtype)
        weights = attention.dropout(tf.nn.softmax(likeness + unseen), training=training)
        mixed = tf.reshape(tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3]), [-1, width])
        states = _added(output, mixed, states, training)
        states = _added(layer.bert_output, layer.intermediate(states), states, training)
    return tf.reshape(states, [count, length, width])


def _added(output: Any, values: tf.Tensor, before: tf.Tensor, training: bool) -> tf.Tensor:
    """The residual connection at the end of attention and of a whole layer."""
    values = output.dropout(output.dense(values, training=training), training=training)
    return _normalised(output.LayerNorm, values + before)


def _normalised(layer: Any, states: tf.Tensor) -> tf.Tensor:
    return layer(states[None])[0]  # made for texts side by side, it wants three dimensions
