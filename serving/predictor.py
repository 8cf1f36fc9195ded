"""What a loaded model and a client of a server have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class Predictor(Protocol):
    """Answers signatures: `saved_model.LoadedModel` in this process, `client.Client` over gRPC."""

    def predict(
        self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs one signature.

        Args:
            signature: its key; `""` is `serving_default`.
            inputs: a tensor for each input of the signature, as an array or nested lists.
            outputs: which outputs to answer; none named means all.

        Returns:
            The outputs by name; strings are object arrays of bytes.

        Raises:
            ServingError: with TensorFlow Serving's code and text.
        """
