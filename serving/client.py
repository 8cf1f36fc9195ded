"""A client of any TensorFlow Serving server, over the official stubs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

import grpc
import numpy as np
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import recommendations, tensors
from serving.errors import Code, ServingError

_READY_POLL_SECONDS = 0.1
_RETRY_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8)
_CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # gRPC waits a second and more before it connects again, which would outlast the retries.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class Client:
    """Calls one model of a server; close it, or use it in a `with` statement.

    Args:
        target: `host:port`.
        model_name: the model's name on that server.
        timeout: seconds that a call may take, retries while the server is UNAVAILABLE included.
    """

    def __init__(self, target: str = "localhost:8500", model_name: str = "tandem", timeout: float = 10.0):
        self.target = target
        self.model_name = model_name
        self.timeout = timeout
        self._channel = grpc.insecure_channel(target, options=_CHANNEL_OPTIONS)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def predict(
        self, signature: str, inputs: Mapping[str, Any], outputs: Sequence[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Runs one signature; see `predictor.Predictor.predict`."""
        request = predict_pb2.PredictRequest(output_filter=outputs or ())
        request.model_spec.name = self.model_name
        request.model_spec.signature_name = signature
        for alias, value in inputs.items():
            request.inputs[alias].CopyFrom(tensors.encode(tensors.to_array(value)))
        response = self._call(self._predictions.Predict, request)
        return {alias: tensors.decode(proto) for alias, proto in response.outputs.items()}

    def wait_until_ready(self, deadline_s: float = 60.0) -> None:
        """Returns once a version of the model is AVAILABLE.

        Raises:
            ServingError: the server knows no such model, no version of it can be loaded, or the deadline
                is over; with the server's words.
        """
        end = time.monotonic() + deadline_s
        pending: ServingError | None = None
        while True:
            problem = self._status_problem(max(0.0, end - time.monotonic()))
            if problem is None:
                return
            # The last question may be cut short by the deadline; what was said before tells more.
            if pending is None or problem.code != Code.DEADLINE_EXCEEDED:
                pending = problem
            if time.monotonic() >= end:
                raise pending
            time.sleep(_READY_POLL_SECONDS)

    def recommend(
        self, user_id: str = "", history: Iterable[str] = (), exclude: Iterable[str] = (), k: int = 10
    ) -> list[recommendations.Recommendation]:
        """Recommends items to one user; see `recommendations.recommend`."""
        return recommendations.recommend(self, user_id, history, exclude, k)

    def _call(self, method: Callable[..., Any], request: Any) -> Any:
        """Calls within the timeout, again after a pause each time that the server is UNAVAILABLE."""
        end = time.monotonic() + self.timeout
        for pause in (*_RETRY_PAUSES_SECONDS, math.inf):
            try:
                return method(request, timeout=max(0.0, end - time.monotonic()))
            except grpc.RpcError as error:
                problem = self._serving_error(error)
                if problem.code != Code.UNAVAILABLE or time.monotonic() + pause >= end:
                    raise problem from error
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def _status_problem(self, time_left: float) -> ServingError | None:
        """Asks for the model's status: None if it is available, an error if it may yet become so.

        Raises:
            ServingError: it will not become available by waiting.
        """
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self.model_name
        try:
            response = self._models.GetModelStatus(request, timeout=min(time_left, self.timeout))
        except grpc.RpcError as error:
            problem = self._serving_error(error)
            if problem.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                return problem
            raise problem from error
        versions = response.model_version_status
        states = {version.state for version in versions}
        status = get_model_status_pb2.ModelVersionStatus
        if status.AVAILABLE in states:
            return None
        if states == {status.END}:
            raise ServingError(
                f"{self.target} serves no version of {self.model_name}: {versions[0].status.error_message}",
                Code.UNAVAILABLE,
            )
        return ServingError(f"{self.target} is still loading {self.model_name}", Code.UNAVAILABLE)

    def _serving_error(self, error: grpc.RpcError) -> ServingError:
        code = Code(error.code().value[0])
        if code == Code.UNAVAILABLE:
            message = (
                f"no server at {self.target}; start one with "
                "`tandem serve --model_base_path=MODEL --port=PORT`"
            )
        elif code == Code.DEADLINE_EXCEEDED:
            message = f"{self.target} did not answer within {self.timeout:g} s"
        else:
            message = f"{self.target} answered {code.name}: {error.details()}"
        return ServingError(message, code)
