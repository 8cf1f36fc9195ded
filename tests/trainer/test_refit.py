import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import yaml

from preprocessing.schema import InputError
from trainer.config import TrainerConfig
from trainer.export import export
from trainer.refit import exported_checkpoint
from trainer.train import TrainResult, build_model, train
from trainer.validation import Validation


@pytest.fixture(scope="module")
def refit_config(config) -> TrainerConfig:
    return config.model_copy(update={"train": config.train.model_copy(update={"refit": True, "epochs": 4})})


@pytest.fixture(scope="module")
def refitted(tmp_path_factory, examples, refit_config, progress):
    folder = tmp_path_factory.mktemp("refitted") / "training"
    train(examples, folder, refit_config, progress)
    return folder


@pytest.fixture(scope="module")
def restored(refitted, examples, schema, refit_config, progress):
    """A model with the weights that are exported."""
    tandem, _, _ = build_model(examples, refitted, schema, refit_config, progress)
    checkpoint = exported_checkpoint(refitted, refitted=True)
    tf.train.Checkpoint(model=tandem).restore(checkpoint).assert_existing_objects_matched()
    return tandem


def test_it_has_learned_the_validation_part(refitted, restored, examples, schema, refit_config):
    before = TrainResult.read(refitted)
    after = Validation(restored, examples, schema, refit_config).measure()
    assert after["ndcg@10"] > before.ndcg
    assert after["rmse"] < before.ranking


def test_it_is_what_is_exported(tmp_path, refitted, restored, examples, refit_config, progress):
    import scann.scann_ops.py.scann_ops
    import tensorflow_text  # noqa: F401 (registers ops)

    assert scann
    loaded = tf.saved_model.load(str(export(examples, refitted, tmp_path, refit_config, progress)))
    answer = loaded.signatures["embed_user"](user_id=tf.constant([""]), history=tf.zeros([1, 0], tf.string))
    history = tf.zeros([1, refit_config.model.history], tf.int64)
    nobody = tf.constant([1], tf.int64)
    expected = restored.users(history, restored.about_user(nobody), restored.catalogue())
    np.testing.assert_allclose(answer["embedding"], expected, atol=1e-5)


def test_the_best_epoch_alone_is_not_exported(tmp_path, training, examples, config, refit_config, progress):
    with pytest.raises(InputError, match="no finished training of these examples with this config"):
        export(examples, training, tmp_path / "model", refit_config, progress)


def test_a_kill_while_refitting_costs_an_epoch_at_most(tmp_path, examples, refit_config):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(refit_config.model_dump(mode="json", by_alias=True)), encoding="utf-8")
    training, model = tmp_path / "training", tmp_path / "model"
    command = [sys.executable, "-m", "trainer.task", f"--examples={examples}", f"--config={path}"]
    command += [f"--training={training}", f"--model={model}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    begun = False
    for line in process.stdout:
        begun = begun or line.startswith("Training on the validation part too")
        if begun and line.startswith("epoch   1"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert TrainResult.read(training) is None
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    epochs = [int(line.split()[1]) for line in again.splitlines() if line.startswith("epoch ")]
    result = TrainResult.read(training)
    assert epochs and epochs[0] in (2, 3)
    assert epochs == list(range(epochs[0], result.best_epoch + 1))
    assert (model / "1" / "saved_model.pb").exists()
