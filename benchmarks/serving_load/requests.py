"""The requests of a load: recommendations for histories of different lengths, batch 1."""

from __future__ import annotations

import numpy as np
from tensorflow_serving.apis import predict_pb2

from serving import tensors
from serving.client import Client

REQUESTS = 64
LONGEST_HISTORY = 20


def make_requests(client: Client) -> list[predict_pb2.PredictRequest]:
    """Makes requests of items that the model itself names: first those for anybody, then those for these.

    Args:
      client: of a Tandem model.
    """
    generator = np.random.default_rng(0)
    known = _answer(client, [])
    known = sorted({*known, *_answer(client, known[:5]), *_answer(client, known[-5:])})
    lengths = generator.integers(1, min(LONGEST_HISTORY, len(known)) + 1, REQUESTS)
    return [
        _request(client.model_name, generator.choice(known, length, replace=False).tolist())
        for length in lengths
    ]


def arrays(request: bytes) -> dict[str, np.ndarray]:
    """The inputs of a serialised request."""
    parsed = predict_pb2.PredictRequest.FromString(request)
    return {alias: tensors.decode(proto) for alias, proto in parsed.inputs.items()}


def _answer(client: Client, history: list[str]) -> list[str]:
    parsed = arrays(_request(client.model_name, history).SerializeToString())
    (items,) = client.predict("serving_default", parsed, ["item_id"])["item_id"]
    return [item.decode() for item in items if item]


def _request(model_name: str, history: list[str]) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model_name
    request.model_spec.signature_name = "serving_default"
    # As arrays, because an empty list has no type.
    inputs = {"user_id": np.array([""], object), "exclude": np.empty((1, 0), object)}
    for alias, value in (inputs | {"history": np.array([history], object)}).items():
        tensors.write_fields(tensors.to_array(value), request.inputs[alias])
    return request
