"""What a version is searched by is the same for the same training, and is kept."""

import numpy as np
import pytest

from trainer.export import _text_reader
from trainer.search.building import KEPT, make_searchable
from trainer.train import build_model


@pytest.fixture(scope="module")
def build(tmp_path_factory, examples, schema, config, progress):
    folder = tmp_path_factory.mktemp("build")
    tandem, items, _ = build_model(examples, folder, schema, config, progress)
    reader = _text_reader(tandem, examples, config)

    def make(training, identity="a training"):
        return make_searchable(examples, training, tandem, config, items, reader, identity, progress)[1]

    return make


def test_the_same_training_is_searched_by_the_same(build, tmp_path):
    first, second = (tmp_path / name for name in ("first", "second"))
    for folder in (first, second):
        folder.mkdir()
    one, other = build(first), build(second)
    assert np.array_equal(one.vectors, other.vectors)
    assert all(map(np.array_equal, one.terms, other.terms))
    np.testing.assert_allclose(np.linalg.norm(one.vectors[2:], axis=1), 1.0, rtol=1e-5)


def test_what_was_learned_is_kept_for_its_own_training_alone(build, tmp_path):
    build(tmp_path)
    kept = (tmp_path / KEPT).read_bytes()
    build(tmp_path)
    assert (tmp_path / KEPT).read_bytes() == kept
    build(tmp_path, "another training")
    assert (tmp_path / KEPT).read_bytes() != kept
