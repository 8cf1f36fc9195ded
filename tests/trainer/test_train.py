import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from preprocessing.pipeline import preprocess
from preprocessing.schema import InputError, Schema
from preprocessing.schema.serialized import serialize
from tests.trainer.conftest import assert_same_learned, data_config, kill_and_go_on, write_tables
from trainer.biases import label_biases
from trainer.config import TrainerConfig, parse_config
from trainer.dataset import read_cuts
from trainer.distribution.cluster import Cluster
from trainer.journal import Journal
from trainer.metrics import ndcg_at, target_ranks
from trainer.result import TrainResult
from trainer.task import local_path, main
from trainer.train import build_model, prepare, train
from trainer.training_batches import TrainingBatches
from trainer.validation import Validation


def test_training_learns_both_tasks(training, schema, examples):
    result = TrainResult.read(training)
    # Of 40 films each user knows about 8; a random order would reach 0.14.
    assert result.ndcg > 0.5
    assert result.blended_ndcg >= result.ndcg
    cuts = list(read_cuts(examples, schema, "validation"))
    labels = np.concatenate([cut.labels for cut in cuts])
    assert result.ranking < labels.std()
    assert list((training / "logs").rglob("events.out.tfevents*"))


def test_an_untrained_ranker_has_no_say(tmp_path, examples, config, progress):
    document = config.model_dump(by_alias=True)
    document["model"]["loss"]["alpha"] = 0.0
    document["train"]["epochs"] = 1
    result = train(examples, tmp_path / "training", TrainerConfig.model_validate(document), progress)
    assert (result.blend, result.blended_ndcg) == (0.0, result.ndcg)


def test_validation_agrees_with_one_cut_at_a_time(examples, training, schema, config, progress):
    tandem, _, _ = build_model(examples, training, schema, config, progress)
    catalogue = tandem.catalogue()
    ranks, errors = [], []
    for cut in read_cuts(examples, schema, "validation"):
        history = tf.constant([cut.history[-config.model.history :]])
        user = tf.constant([cut.user], tf.int64)
        vector = tandem.users(history, tandem.about_user(user), catalogue)
        scores = (vector @ tf.transpose(catalogue)).numpy()
        excluded = np.isin(np.arange(schema.items.size), [0, 1, *cut.history])[None]
        ranks.append(target_ranks(scores, cut.items, excluded)[0])
        label = tandem.ranker(
            tandem.known_user(user), tf.constant(cut.items), vector, tf.gather(catalogue, cut.items)
        )
        errors.append(tandem.ranker.labels_of(label).numpy()[0] - cut.labels[0])
    metrics = Validation(tandem, examples, schema, config).measure()
    assert metrics["ndcg@10"] == pytest.approx(ndcg_at(np.array(ranks), 10).mean(), abs=1e-6)
    assert metrics["rmse"] == pytest.approx(np.sqrt(np.square(errors).mean()), abs=1e-5)


def test_a_finished_training_is_not_repeated(training, examples, config, progress):
    before = {path: path.stat().st_mtime_ns for path in training.rglob("*") if path.is_file()}
    result = train(examples, training, config, progress)
    assert result == TrainResult.read(training)
    assert {path: path.stat().st_mtime_ns for path in training.rglob("*") if path.is_file()} == before


def test_another_config_starts_anew(tmp_path, training, examples, config, progress):
    copied = tmp_path / "training"
    subprocess.run(["cp", "-r", str(training), str(copied)], check=True)
    other = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 1, "seed": 5})})
    result = train(examples, copied, other, progress)
    assert (result.epochs, result.best_epoch) == (1, 1)


def test_a_killed_training_goes_on(tmp_path, training, examples, config):
    """kill -9 after some epochs; the same command again trains only the others, and comes to the same."""
    epochs = kill_and_go_on(
        tmp_path, examples, config, lambda lines: any(line.startswith("epoch   4") for line in lines)
    )
    assert epochs and epochs[0] >= 4 and epochs[-1] == 12
    assert epochs == list(range(epochs[0], 13))
    assert_same_learned(training, tmp_path / "training")


def test_early_stopping(tmp_path, examples, config, progress):
    settings = config.train.model_copy(update={"epochs": 50, "patience": 2, "learning_rate": 1e-12})
    result = train(examples, tmp_path / "training", config.model_copy(update={"train": settings}), progress)
    assert result.epochs == result.best_epoch + 2 < 50


def test_without_labels_the_ranker_learns_clicks(tmp_path, tiny_bert, config, progress):
    write_tables(tmp_path)
    preprocess(data_config(tiny_bert, label=False), "clicks", tmp_path, tmp_path / "examples")
    result = train(tmp_path / "examples", tmp_path / "training", config, progress)
    assert result.ranking is None
    assert result.ndcg > 0.5


def test_biases_are_the_regularised_least_squares(examples, schema):
    biases = label_biases(examples, schema)
    from preprocessing.schema.examples import read_batches

    users, items, labels = [], [], []
    for batch in read_batches(examples, schema, "train"):
        for user, row, label in zip(
            batch["user"].numpy(), batch["item"].to_list(), batch["label"].to_list(), strict=True
        ):
            users += [user] * len(row)
            items += row
            labels += label
    users, items, rest = np.array(users), np.array(items), np.array(labels)
    assert biases.mean == pytest.approx(rest.mean()) and biases.deviation == pytest.approx(rest.std())
    rest = (rest - rest.mean()) / rest.std()
    rows = np.arange(len(rest))
    design = np.zeros((len(rest), schema.users.size + schema.items.size))
    design[rows, users] = 1
    design[rows, schema.users.size + items] = 1
    solution = np.linalg.solve(design.T @ design + 5 * np.eye(design.shape[1]), design.T @ rest)
    np.testing.assert_allclose(biases.users, solution[: schema.users.size], atol=0.02)
    np.testing.assert_allclose(biases.items, solution[schema.users.size :], atol=0.02)


def test_config_errors_name_the_key():
    with pytest.raises(
        InputError, match=r"c: model.dimension: .*multiple of heads|c: model: .*multiple of heads"
    ):
        parse_config({"model": {"dimension": 10, "heads": 3}}, "c")
    with pytest.raises(InputError, match=r"c: train.epochs: .*greater than 0 \(found 0\)"):
        parse_config({"train": {"epochs": 0}}, "c")
    for seed in (-1, 2**32):
        with pytest.raises(InputError, match=rf"c: train.seed: .*\(found {seed}\)"):
            parse_config({"train": {"seed": seed}}, "c")
    with pytest.raises(
        InputError,
        match=r"c: unknown section trian; allowed: data, .*export, model, name, .*train, tune, vertex",
    ):
        parse_config({"trian": {}}, "c")
    with pytest.raises(InputError, match=r"c: export: .*candidates \(5\) must be at least k \(100\)"):
        parse_config({"export": {"candidates": 5}}, "c")
    assert parse_config({"model": None, "name": "x", "data": {}}, "c") == TrainerConfig()


def test_the_program_says_what_is_wrong(tmp_path, capsys):
    config = tmp_path / "c.yaml"
    config.write_text("train: {epochs: 1}")
    arguments = [f"--config={config}", f"--training={tmp_path}/t", f"--model={tmp_path}/m"]
    assert main([f"--examples={tmp_path}", *arguments]) == 2
    assert "no finished examples; make them with `tandem preprocess`" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main([f"--examples={tmp_path}", f"--config={config}"])
    assert stopped.value.code == 2
    assert "--training and --model are needed outside Vertex AI" in capsys.readouterr().err


def test_vertex_paths_are_read_through_the_mount():
    assert str(local_path("gs://bucket/a/b")) == "/gcs/bucket/a/b"
    assert str(local_path("a/b")) == "a/b"


def test_examples_without_training_interactions_are_refused(tmp_path, examples, config, progress):
    empty = Schema.read(examples)
    empty = empty.model_copy(update={"counts": {**empty.counts, "train": 0}})
    empty.write(tmp_path)
    with pytest.raises(InputError, match="nothing in the train part of the leave_last split"):
        train(tmp_path, tmp_path / "training", config, progress)


def test_a_checkpoint_brings_back_optimizer_and_average(
    tmp_path, examples, training, schema, config, progress
):
    copied = tmp_path / "training"
    shutil.copytree(training, copied)
    model, _, _ = build_model(examples, copied, schema, config, progress)
    batches = TrainingBatches(examples, schema, config.model.history + 1, config.train.batch_size, 0)
    prepare(model, config, batches)
    validation = Validation(model, examples, schema, config)
    before = validation.measure()["ndcg@10"]
    journal = Journal(
        copied, tmp_path / "logs", model, validation, config.train.patience, progress, Cluster()
    )
    result = TrainResult.read(training)
    assert (journal.epochs, journal.best_epoch) == (result.epochs, result.best_epoch)
    steps = sum(len(list(batches.epoch(number))) for number in range(result.epochs))
    assert int(model.optimizer.iterations) == steps
    newest = validation.measure()["ndcg@10"]
    journal.restore_best()
    assert validation.measure()["ndcg@10"] == pytest.approx(result.ndcg, abs=1e-6)
    assert before < newest
    with model.average.applied():
        averaged = validation.measure()["ndcg@10"]
    assert averaged != pytest.approx(before, abs=1e-6)


def test_the_scale_of_the_labels_makes_no_difference(tmp_path, tiny_bert, config, progress):
    short = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 2})})
    results = []
    for factor in (1, 1_000_000):
        folder = tmp_path / str(factor)
        folder.mkdir()
        write_tables(folder)
        lines = (folder / "interactions.csv").read_text().splitlines()
        rows = [line.split(",") for line in lines[1:]]
        scaled = [
            ",".join([user, item, str(int(rating) * factor), time]) for user, item, rating, time in rows
        ]
        (folder / "interactions.csv").write_text("\n".join([lines[0], *scaled]) + "\n")
        preprocess(data_config(tiny_bert), "scaled", folder, folder / "examples")
        results.append(train(folder / "examples", folder / "training", short, progress))
    assert results[1].ndcg == pytest.approx(results[0].ndcg, abs=1e-3)
    assert results[1].ranking == pytest.approx(results[0].ranking * 1_000_000, rel=1e-2)


def test_changed_titles_are_another_training(tmp_path, tiny_bert, config, progress):
    short = config.model_copy(update={"train": config.train.model_copy(update={"epochs": 1})})
    write_tables(tmp_path)
    preprocess(data_config(tiny_bert), "same", tmp_path, tmp_path / "examples")
    first = train(tmp_path / "examples", tmp_path / "training", short, progress)
    items = (tmp_path / "items.csv").read_text().splitlines()
    cells = [line.split(",") for line in items[1:]]
    titles = [row[1] for row in cells]
    rotated = [
        ",".join([row[0], title, *row[2:]]) for row, title in zip(cells, titles[1:] + titles[:1], strict=True)
    ]
    (tmp_path / "items.csv").write_text("\n".join([items[0], *rotated]) + "\n")
    before = Schema.read(tmp_path / "examples")
    preprocess(data_config(tiny_bert), "same", tmp_path, tmp_path / "examples")
    after = Schema.read(tmp_path / "examples")
    assert after.model_copy(update={"digest": before.digest}) == before
    vectors = (tmp_path / "training" / "item_texts.npy").read_bytes()
    second = train(tmp_path / "examples", tmp_path / "training", short, progress)
    assert second.fingerprint != first.fingerprint
    assert (tmp_path / "training" / "item_texts.npy").read_bytes() != vectors


def test_a_folder_of_something_else_is_left_alone(tmp_path, examples, config, progress):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(InputError, match="holds files that are not of a training"):
        train(examples, tmp_path, config, progress)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_damaged_result_is_trained_again(tmp_path, training, examples, config, progress):
    copied = tmp_path / "training"
    shutil.copytree(training, copied)
    expected = TrainResult.read(training)
    (copied / "training.json").write_text('{"fingerprint": ')
    again = train(examples, copied, config, progress)
    assert (again.fingerprint, again.epochs, again.best_epoch) == (
        expected.fingerprint,
        12,
        expected.best_epoch,
    )
    assert again.ranking == pytest.approx(expected.ranking, rel=1e-4)


def test_a_loss_that_is_no_number_is_told(tmp_path, examples, config, progress):
    wild = config.train.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(
        InputError, match=r"the loss became (nan|inf) in epoch \d+; a lower train.learning_rate"
    ):
        train(examples, tmp_path / "training", config.model_copy(update={"train": wild}), progress)


def test_a_validation_part_of_repeats_alone_is_refused(
    tmp_path, examples, training, schema, config, progress
):
    model, _, _ = build_model(examples, training, schema, config, progress)
    with tf.io.TFRecordWriter(str(tmp_path / "v")) as writer:
        cut = {"user": [2], "history": [4, 5], "item": [5], "label": [1.0], "time": [1]}
        writer.write(serialize(cut))
    only = schema.model_copy(update={"files": {**schema.files, "validation": ("v",)}})
    with pytest.raises(InputError, match="nothing to validate with"):
        Validation(model, tmp_path, only, config)
