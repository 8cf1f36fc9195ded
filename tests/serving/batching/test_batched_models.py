"""Models and servers that join requests answer as those that do not."""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serving.batching.parameters import BatchingParameters
from serving.batching.scheduler import BatchScheduler
from serving.errors import Code, ServingError
from serving.models.runs import Run
from serving.models.saved_model import LoadedModel
from serving.monitoring.events import Events


def batched(path, **parameters) -> LoadedModel:
    return LoadedModel(path, batching=BatchScheduler(BatchingParameters(**parameters), Events()))


def test_a_batched_model_answers_as_one_without_batching(tiny_tandem):
    """Ragged histories of many callers at once, padded with "" and not."""
    alone = LoadedModel(tiny_tandem)
    models = [
        batched(tiny_tandem, max_batch_size=8, batch_timeout_s=0.02, pad_variable_length_inputs=pads)
        for pads in (False, True)
    ]
    histories = [["50"], ["181", "258"], ["100", "50", "286"], [""], ["7", "258"]]
    joined = threading.Barrier(len(histories))

    def call(history):
        exclude = np.full((1, len(history) - 1), "100", dtype=object)
        inputs = {"user_id": ["196"], "history": [history], "exclude": exclude}
        expected = alone.predict("", inputs)
        for model in models:
            joined.wait(60)
            for name, array in model.predict("", inputs).items():
                assert array.tolist() == expected[name].tolist(), (history, name)

    with ThreadPoolExecutor(len(histories)) as pool:
        for answered in [pool.submit(call, history) for history in histories]:
            answered.result(60)
    for model in (alone, *models):
        model.close()


def test_a_request_whose_deadline_is_over_is_not_run(half_plus_two):
    model = LoadedModel(half_plus_two)
    signature = model.signature("")
    with pytest.raises(ServingError) as caught:
        model.run_signature(signature, {"x": np.ones(1, np.float32)}, None, Run.within(0.0))
    assert caught.value.code == Code.DEADLINE_EXCEEDED
    model.close()


def test_a_server_batches_with_its_parameters(serve, half_plus_two, publish, tmp_path):
    publish(half_plus_two, tmp_path, 1)
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 3 }\nbatch_timeout_micros { value: 2000 }\n")
    server = serve(tmp_path, enable_batching=True, batching_parameters_file=str(file))

    def call(number):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "default"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([float(number)]))
        return list(stub.Predict(request, timeout=60).outputs["y"].float_val)

    with grpc.insecure_channel(f"localhost:{server.port}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        with ThreadPoolExecutor(12) as pool:
            assert list(pool.map(call, range(12))) == [[number / 2 + 2] for number in range(12)]
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "default"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0] * 4))
        with pytest.raises(grpc.RpcError) as caught:
            stub.Predict(request, timeout=60)
        assert caught.value.details() == "Task size 4 is larger than maximum input batch size 3"
