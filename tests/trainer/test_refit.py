import numpy as np
import pytest
import tensorflow as tf

from preprocessing.schema import InputError
from tests.trainer.conftest import assert_same_learned, kill_and_go_on
from trainer.config import TrainerConfig
from trainer.export import export
from trainer.refit import exported_checkpoint
from trainer.result import TrainResult
from trainer.train import build_model, train
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


def test_it_is_what_is_exported(tmp_path, refitted, restored, examples, refit_config, progress, load):
    signatures = load(export(examples, refitted, tmp_path, refit_config, progress))
    answer = signatures("embed_user", user_id=[""], history=np.zeros((1, 0), object))
    history = tf.zeros([1, refit_config.model.history], tf.int64)
    nobody = tf.constant([1], tf.int64)
    expected = restored.users(history, restored.about_user(nobody), restored.catalogue())
    np.testing.assert_allclose(answer["embedding"], expected, atol=1e-5)


def test_the_best_epoch_alone_is_not_exported(tmp_path, training, examples, config, refit_config, progress):
    with pytest.raises(InputError, match="no finished training of these examples with this config"):
        export(examples, training, tmp_path / "model", refit_config, progress)


def test_a_kill_while_refitting_costs_an_epoch_at_most(tmp_path, refitted, examples, refit_config):
    def enough(lines: list[str]) -> bool:
        begun = [line.startswith("Training on the validation part too") for line in lines]
        return any(begun) and any(line.startswith("epoch   1") for line in lines[begun.index(True) :])

    epochs = kill_and_go_on(tmp_path, examples, refit_config, enough)
    result = TrainResult.read(tmp_path / "training")
    assert epochs and epochs[0] in (2, 3)
    assert epochs == list(range(epochs[0], result.best_epoch + 1))
    assert_same_learned(refitted, tmp_path / "training", "refit/final")
