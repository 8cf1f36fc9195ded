import subprocess
import sys

import numpy as np
import pytest

PROGRAM = "tests.trainer.distribution.two_replicas"


@pytest.fixture(scope="module", params=["full", "sampled", "sharded", "tuned", "sharded_tuned"])
def found(request, examples, tmp_path_factory):
    scratch = tmp_path_factory.mktemp("replicas")
    command = [sys.executable, "-m", PROGRAM, str(examples), str(scratch), request.param]
    subprocess.run(command, check=True)
    return request.param, dict(np.load(scratch / f"{request.param}.npz"))


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
    assert difference > 1e-3 if "s" in name[:1] else difference < 1e-5


def test_steps_and_averages_are_those_of_one_replica(found):
    _, values = found
    for what in ("weights", "averages"):
        one, two = values[f"one_{what}"], values[f"two_{what}"]
        assert np.abs(one).mean() > 1e-4
        # Where a gradient is zero but for rounding, Adam makes a step of it.
        assert np.mean(np.abs(one - two) > 1e-5) < 0.01
