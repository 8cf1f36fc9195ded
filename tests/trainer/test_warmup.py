import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from trainer.warmup import BATCH_SIZES, WARMUP_FILE


def _requests(folder):
    path = str(folder / "assets.extra" / WARMUP_FILE)
    logs = map(prediction_log_pb2.PredictionLog.FromString, tf.data.TFRecordDataset(path).as_numpy_iterator())
    return [log.predict_log.request for log in logs]


@pytest.mark.parametrize("kind", ["model_folder", "portable_folder"])
def test_every_request_is_answered(request, kind):
    folder = request.getfixturevalue(kind)
    import scann.scann_ops.py.scann_ops
    import tensorflow_text  # noqa: F401 (registers ops)

    assert scann
    loaded = tf.saved_model.load(str(folder))
    sizes = {name: set() for name in loaded.signatures}
    for warmup in _requests(folder):
        name = warmup.model_spec.signature_name
        inputs = {
            key: tf.constant(tf.make_ndarray(value), value.dtype) for key, value in warmup.inputs.items()
        }
        answer = loaded.signatures[name](**inputs)
        batch = {len(value) for value in inputs.values()}
        assert len(batch) == 1 and {len(value) for value in answer.values()} == batch
        assert all(np.isfinite(value).all() for value in answer.values() if value.dtype != tf.string)
        sizes[name] |= batch
    assert all(found == set(BATCH_SIZES) for found in sizes.values())
    assert len(_requests(folder)) <= 1000  # TensorFlow Serving refuses more
