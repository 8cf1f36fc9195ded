import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = "tests.trainer.distribution.two_replicas"
TABLES_OF_A_TABLE = 4
"""The embeddings, Adam's two moments of them, and their average."""


@pytest.fixture(scope="module", params=["full", "sampled", "sharded", "tuned", "sharded_tuned"])
def found(request, examples, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("replicas")
    command = [sys.executable, "-m", PROGRAM, str(examples), str(scratch), request.param]
    subprocess.run(command, check=True)
    return request.param, dict(np.load(scratch / f"{request.param}.npz"))


@pytest.fixture
def sharded(found):
    name, values = found
    if not name.startswith("sharded"):
        pytest.skip("every replica holds the tables whole")
    return values


@pytest.mark.parametrize("batch", ["batch", "one_row"])
def test_two_replicas_have_the_loss_and_the_gradients_of_one(found, batch):
    """Of a batch of one row, the second replica gets nothing."""
    _, values = found
    one, two = values[f"{batch}_loss"]
    assert two == pytest.approx(one, abs=1e-5)
    gradient = values[f"{batch}_gradient"]
    assert np.abs(gradient).max() > 0.01
    np.testing.assert_allclose(values[f"{batch}_sum"], gradient, atol=1e-5)


def test_gradients_are_scaled_down_by_the_norm_of_their_sum(found):
    _, values = found
    for batch in ("batch", "one_row"):
        np.testing.assert_allclose(values[f"{batch}_norm"][1:], values[f"{batch}_norm"][0], rtol=1e-4)


def test_negatives_of_a_replica_alone_would_be_others(found):
    name, values = found
    difference = abs(values["local_retrieval"] - values["retrieval"])
    assert difference > 1e-3 if name.startswith("s") else difference < 1e-5


def test_steps_and_averages_are_those_of_one_replica(found):
    _, values = found
    for what in ("weights", "averages"):
        one, two = values[f"one_{what}"], values[f"two_{what}"]
        assert np.abs(one).mean() > 1e-4
        # Where a gradient is zero but for rounding, Adam makes a step of it.
        assert np.mean(np.abs(one - two) > 1e-5) < 0.01


def test_each_replica_holds_half_of_the_rows_and_of_all_that_belongs_to_them(sharded):
    assert len(sharded["rows"]) == 2 * TABLES_OF_A_TABLE  # items and users
    assert len(set(sharded["devices"])) == 2
    np.testing.assert_array_equal(sharded["own_rows"], -(-sharded["rows"][:, None] // [2, 2]))


def test_a_checkpoint_of_two_is_one_of_one(sharded):
    """With the moments and the averages."""
    np.testing.assert_array_equal(sharded["read_by_one"], sharded["written"])
    np.testing.assert_array_equal(sharded["read_by_two"], sharded["written"])
    assert np.abs(sharded["moved"] - sharded["written"]).max() > 1e-4
    np.testing.assert_allclose(sharded["catalogue"], sharded["catalogue_of_one"], atol=1e-6)


@pytest.mark.parametrize("replicas", [1, 2, 8])
def test_the_documentation_counts_bytes_right(replicas):
    """10 million rows of 64 floats, each with what the optimizer and the average keep of it."""
    table = -(-10_000_000 // replicas) * 64 * 4
    told = f"{TABLES_OF_A_TABLE * table / 1e9:.2f} GB"
    assert told in Path("docs/distribution.md").read_text(encoding="utf-8")
