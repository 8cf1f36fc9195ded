"""A program: does steps on one replica and on two parts of the CPU, and writes down what they came to.

The CPU must be parted before TensorFlow starts, so this has a process of its own.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import tensorflow as tf
from rich.console import Console

from preprocessing.schema import Schema
from trainer.config import TrainerConfig
from trainer.distribution.checkpoints import Checkpoints
from trainer.distribution.cluster import Cluster
from trainer.distribution.config import MirroredConfig
from trainer.distribution.connecting import connect
from trainer.distribution.id_tables.row_shards import RowShards
from trainer.distribution.optimizer import joint_norm
from trainer.distribution.replica import Replica
from trainer.progress import Progress
from trainer.tracing import graph
from trainer.train import build_model, prepare
from trainer.training_batches import TrainingBatches

BASE = {
    "dimension": 16,
    "history": 8,
    "blocks": 1,
    "dropout": 0.0,
    "ranker_dropout": 0.0,
    "id_dropout": 0.0,
    "item_tokens": True,
    "loss": {"alpha": 0.5, "beta": 0.1, "lambda": 0.3},
}
SAMPLED = {"negatives": {"kind": "sampled", "uniform": 10}}
TUNED = {"language_model": {"mode": "lora", "texts_per_step": 9}}
MODELS = {
    "full": BASE,
    "sampled": BASE | SAMPLED,
    "sharded": BASE | SAMPLED,
    "tuned": BASE | TUNED,
    "sharded_tuned": BASE | SAMPLED | TUNED,
}


class Setting:
    """A model on one replica, the same on two, and batches.

    Args:
      examples: to train on.
      scratch: a folder.
      name: of the model.
    """

    def __init__(self, examples: Path, scratch: Path, name: str) -> None:
        tables = "sharded" if name.startswith("sharded") else "replicated"
        two = MirroredConfig(kind="mirrored", devices=2, id_tables=tables)
        train = {"batch_size": 8, "distribution": two.model_dump()}
        self.config = TrainerConfig.model_validate({"model": MODELS[name], "train": train})
        self.cluster = connect(two)
        self._examples, self._schema = examples, Schema.read(examples)
        self.batches = TrainingBatches(examples, self._schema, 9, 8, 0)
        self._traced = {}
        (scratch / name).mkdir()
        self.one = self._model(scratch / name)
        with self.cluster.scope():
            self.two = self._model(scratch / name)
            for weight, same in zip(self.two.variables, self.one.variables, strict=True):
                weight.assign(same.numpy())
            self.two.refresh_texts(Progress(Console(quiet=True)))
        self.one.refresh_texts(Progress(Console(quiet=True)))

    def _model(self, folder: Path):
        progress = Progress(Console(quiet=True))
        tf.keras.utils.set_random_seed(0)
        model, _, _ = build_model(self._examples, folder, self._schema, self.config, progress)
        if model.language_model:
            for layer in model.language_model.bert().submodules:
                if hasattr(layer, "rate"):
                    layer.rate = 0.0
        prepare(model, self.config, self.batches)
        return model

    def slopes(self, model, batch) -> tuple[tf.Tensor, ...]:
        """The loss of a replica's rows, its gradients, and the norm of those of all replicas."""
        with tf.GradientTape() as tape:
            loss = model.compute_loss(batch, training=True)
        gradients = tape.gradient(loss, model.trainable_variables)
        pairs = list(zip(gradients, model.trainable_variables, strict=True))
        norm = joint_norm(*zip(*model.optimizer.aggregate_gradients(pairs), strict=True))
        return loss, [dense(each, weight) for each, weight in pairs], norm

    def on_two(self, function, batch):
        """What both replicas give for a batch that each is handed: a list of the two."""
        traced = graph(lambda batch: self.cluster.strategy.run(function, (self.two, batch)))
        with self.cluster.scope():
            outputs = self._traced.setdefault(function, traced)(batch)
        local = self.cluster.strategy.experimental_local_results
        return [tf.nest.map_structure(lambda value, n=n: local(value)[n].numpy(), outputs) for n in (0, 1)]


def dense(gradient, weight) -> tf.Tensor:
    """The gradient of a whole weight; zero for the rows that other replicas hold."""
    if gradient is None:
        return tf.zeros_like(weight)
    gradient = tf.convert_to_tensor(gradient)
    if not isinstance(weight, RowShards):
        return gradient
    replica = Replica.here()
    rows = replica.number + replica.count * tf.range(gradient.shape[0])
    shape = [replica.count * gradient.shape[0], *gradient.shape[1:]]
    return tf.scatter_nd(rows[:, None], gradient, shape)[: weight.shape[0]]


def step(model, batch) -> tf.Tensor:
    model.train_step(batch)
    return tf.constant(0)


def flat(gradients) -> np.ndarray:
    return np.concatenate([np.ravel(each) for each in gradients])


def sharding(setting: Setting, folder: Path, batch) -> dict[str, np.ndarray]:
    """What each replica holds, and what goes through a checkpoint."""
    one, two, found = setting.one, setting.two, {}

    def kept(model) -> list[tf.Variable]:
        return [*model.variables, *model.optimizer.variables, *model.average.variables]

    once = {variable.ref(): variable for variable in kept(two)}.values()
    tables = [variable for variable in once if isinstance(variable, RowShards)]
    found["rows"] = [variable.shape[0] for variable in tables]
    found["own_rows"] = [[part.shape[0] for part in variable.values] for variable in tables]
    found["devices"] = [part.device for part in tables[0].values]
    with setting.cluster.scope():
        written = Checkpoints(
            folder, setting.cluster, model=two, optimizer=two.optimizer, average=two.average
        )
        written.save(1)
        found["written"] = flat([variable.numpy() for variable in kept(two)])
    Checkpoints(folder, Cluster(), model=one, optimizer=one.optimizer, average=one.average).restore()
    found["read_by_one"] = flat([variable.numpy() for variable in kept(one)])
    setting.on_two(step, batch)
    with setting.cluster.scope():
        found["moved"] = flat([variable.numpy() for variable in kept(two)])
        written.restore()
        found["read_by_two"] = flat([variable.numpy() for variable in kept(two)])
        with two.id_tables.whole(setting.cluster):
            found["catalogue"] = graph(two.catalogue)().numpy()
    found["catalogue_of_one"] = one.catalogue().numpy()
    return found


def main(examples: Path, scratch: Path, name: str) -> None:
    """Writes `NAME.npz`."""
    # To optimise graphs takes longer than to run these few steps as they are.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    setting = Setting(examples, scratch, name)
    found = {}
    some = list(setting.batches.epoch(0).take(3))
    alone = {key: value if key == "seed" else value[:1] for key, value in some[0].items()}
    for title, batch in (("batch", some[0]), ("one_row", alone)):
        loss, gradients, norm = setting.slopes(setting.one, batch)
        first, second = setting.on_two(setting.slopes, batch)
        found[f"{title}_loss"] = [float(loss), first[0] + second[0]]
        found[f"{title}_norm"] = [float(norm), float(first[2]), float(second[2])]
        found[f"{title}_gradient"] = flat([each.numpy() for each in gradients])
        found[f"{title}_sum"] = flat(first[1]) + flat(second[1])
    # What it would be if each replica had nothing but the items of its own rows.
    draws = [setting.one.draw(some[0], training=True)]
    for replica in (Replica(0, 2), Replica(1, 2)):
        own = draws[0].share(replica)
        few = setting.one._step_items(replica.share(some[0]["item"]), own.valid, [0, replica.number])
        draws.append(replace(own, step=few))
    losses = [float(setting.one.objectives(draw, training=True)["retrieval"]) for draw in draws]
    found["retrieval"] = losses[0]
    found["local_retrieval"] = np.average(losses[1:], weights=[float(draw.targets) for draw in draws[1:]])
    before = flat([weight.numpy() for weight in setting.one.trainable_variables])
    for batch in some:
        setting.one.train_step(batch)
        setting.on_two(step, batch)
    for number, model in (("one", setting.one), ("two", setting.two)):
        found[f"{number}_weights"] = flat([weight.numpy() for weight in model.trainable_variables]) - before
        with setting.cluster.scope() if number == "two" else tf.name_scope(""), model.average.applied():
            averages = flat([weight.numpy() for weight in model.trainable_variables])
        found[f"{number}_averages"] = averages - before
    if name.startswith("sharded"):
        found |= sharding(setting, scratch / "checkpoints", some[0])
    np.savez(scratch / f"{name}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
