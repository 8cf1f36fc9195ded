from collections import Counter

import numpy as np
import tensorflow as tf

from preprocessing.schema.examples import read_batches
from trainer.dataset import read_continuation, read_cuts
from trainer.training_batches import TrainingBatches


def _interactions(examples, schema):
    pairs = Counter()
    for batch in read_batches(examples, schema, "train"):
        for user, items in zip(batch["user"].numpy(), batch["item"].to_list(), strict=True):
            pairs.update((int(user), item) for item in items)
    return pairs


def test_an_epoch_holds_every_training_interaction_once(examples, schema):
    for length in (3, 5, 100):
        seen, starts = Counter(), Counter()
        for batch in TrainingBatches(examples, schema, length, 8, seed=1).epoch(0):
            assert batch["item"].shape[1] <= length
            assert (batch["label"].numpy()[batch["item"].numpy() > 0] > 0).all()
            for user, items, start in zip(
                *(batch[name].numpy() for name in ("user", "item", "from_start")), strict=True
            ):
                seen.update((int(user), int(item)) for item in items if item)
                starts[int(user)] += int(start)
        assert seen == _interactions(examples, schema)
        assert set(starts.values()) == {1}


def test_a_continuation_adds_every_validation_interaction_once(examples, schema):
    expected = _interactions(examples, schema)
    held_out = Counter()
    for batch in read_batches(examples, schema, "validation"):
        for user, items in zip(batch["user"].numpy(), batch["item"].to_list(), strict=True):
            held_out.update((int(user), item) for item in items)
    assert held_out
    continuation = read_continuation(examples, schema)
    for length in (3, 100):
        seen = Counter()
        for batch in TrainingBatches(examples, schema, length, 8, 1, continuation).epoch(0):
            items, labels = batch["item"].numpy(), batch["label"].numpy()
            assert (labels[items > 0] > 0).all()
            for user, row in zip(batch["user"].numpy(), items, strict=True):
                seen.update((int(user), int(item)) for item in row if item)
        assert seen == expected + held_out


def test_a_continuation_comes_last(examples, schema):
    cuts = {cut.user: cut for cut in read_cuts(examples, schema, "validation") if len(cut.items)}
    continuation = read_continuation(examples, schema)
    found = 0
    for batch in TrainingBatches(examples, schema, 1000, 8, 1, continuation).epoch(0):
        for user, row in zip(batch["user"].numpy(), batch["item"].numpy(), strict=True):
            if int(user) in cuts:
                cut = cuts[int(user)]
                assert [item for item in row if item] == [*cut.history, *cut.items]
                found += 1
    assert found == len(cuts)


def test_epochs_cut_long_histories_at_different_places(examples, schema):
    batches = TrainingBatches(examples, schema, 4, 8, seed=1)
    epochs = [
        {
            tuple(row)
            for batch in batches.epoch(number)
            for row in np.pad(batch["item"].numpy(), [[0, 0], [0, 4]])[:, :4]
        }
        for number in range(2)
    ]
    assert epochs[0] != epochs[1]


def _bytes(batches) -> list[dict[str, bytes]]:
    return [{name: value.numpy().tobytes() for name, value in batch.items()} for batch in batches]


def test_an_epoch_follows_from_its_number_and_the_seed(examples, schema):
    batches = TrainingBatches(examples, schema, 5, 8, seed=1)
    epochs = [_bytes(batches.epoch(number)) for number in range(4)]
    seeds = [batch["seed"] for epoch in epochs for batch in epoch]
    assert len(set(seeds)) == len(seeds)
    orders = [tuple(batch["user"] for batch in epoch) for epoch in epochs]
    assert len(set(orders)) == len(orders)
    tf.random.uniform([3])  # what else is drawn in the meantime, and what came before, plays no part
    assert _bytes(TrainingBatches(examples, schema, 5, 8, seed=1).epoch(2)) == epochs[2]
    assert _bytes(batches.epoch(0)) == epochs[0]
    assert _bytes(TrainingBatches(examples, schema, 5, 8, seed=2).epoch(2)) != epochs[2]
