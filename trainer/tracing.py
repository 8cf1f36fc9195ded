"""How functions of TensorFlow become graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import tensorflow as tf

P = ParamSpec("P")
R = TypeVar("R")


def as_written(function: Callable[P, R]) -> Callable[P, R]:
    """Has a function, and all that it calls, traced without AutoGraph.

    AutoGraph reads the source of every function and layer for Python loops and branches over tensors. There
    are none, and to look for them took two fifths of an export.
    """
    unconverted: Callable[P, R] = tf.autograph.experimental.do_not_convert(function)
    return unconverted


def graph(
    function: Callable[..., Any], signature: Sequence[Any] | None = None
) -> tf.types.experimental.GenericFunction:
    """A `tf.function` that is traced as it is written.

    Args:
      function: of tensors.
      signature: what it takes; None traces it anew for other ranks and types alone.
    """
    reduced = None if signature else True
    return tf.function(
        as_written(function), input_signature=signature, autograph=False, reduce_retracing=reduced
    )
