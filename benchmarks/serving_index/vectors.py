"""Vectors like those of a catalogue: topics within genres, and queries near items."""

from __future__ import annotations

import numpy as np

GENRES, TOPICS = 50, 2000
TOPIC_SPREAD, ITEM_SPREAD, QUERY_SPREAD = 1.0, 1.0, 0.5
"""How far topics lie from their genre, items from their topic and queries from an item; 1 is as long as what
they start from, so that the cosine of an item and its topic is about 0.7 before it is scaled."""

CHUNK = 100_000


def catalogue(size: int, dimension: int) -> np.ndarray:
    """Draws item vectors of length 1 `[size, dimension]`; a few topics have most items, as in catalogues."""
    generator = np.random.default_rng(0)
    genres = _unit(generator.normal(size=(GENRES, dimension)))
    topics = _near(genres[generator.integers(0, GENRES, TOPICS)], TOPIC_SPREAD, generator)
    weight = 1 / np.sqrt(np.arange(1, TOPICS + 1))
    vectors = np.empty((size, dimension), np.float32)
    for begin in range(0, size, CHUNK):
        part = vectors[begin : begin + CHUNK]
        topic = generator.choice(TOPICS, len(part), p=weight / weight.sum())
        part[:] = _near(topics[topic], ITEM_SPREAD, generator)
    return vectors


def queries(vectors: np.ndarray, count: int) -> np.ndarray:
    """Draws query vectors of length 1 `[count, dimension]`, each near an item."""
    generator = np.random.default_rng(1)
    items = vectors[generator.integers(0, len(vectors), count)]
    return _near(items, QUERY_SPREAD, generator).astype(np.float32)


def _near(places: np.ndarray, spread: float, generator: np.random.Generator) -> np.ndarray:
    noise = generator.normal(size=places.shape) * (spread / np.sqrt(places.shape[1]))
    return _unit(places + noise)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
