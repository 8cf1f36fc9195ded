import io

import tensorflow as tf
from rich.console import Console

from tests.trainer.language_model.conftest import tuned
from trainer.config import TrainerConfig
from trainer.language_model.bert import FULL_PRECISION, HALF_PRECISION
from trainer.language_model.modes import training_precision
from trainer.progress import Progress


def precision(config: TrainerConfig) -> tuple[str, str]:
    stream = io.StringIO()
    chosen = training_precision(config.model.language_model, Progress(Console(file=stream, width=200)))
    return chosen, stream.getvalue()


def test_half_precision_is_for_gpus(config):
    assert precision(config) == (FULL_PRECISION, "")
    assert precision(tuned(config, "lora")) == (FULL_PRECISION, "")
    chosen, said = precision(tuned(config, "lora", mixed_precision=True))
    if tf.config.list_physical_devices("GPU"):
        assert (chosen, said) == (HALF_PRECISION, "")
    else:
        assert chosen == FULL_PRECISION
        assert said.strip().endswith("is left: TensorFlow sees no GPU, float32 is used")
