"""Answers queries: interests are found by meaning and by words, weighed, and told apart in the answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from preprocessing.schema import PADDING, RESERVED
from trainer.catalogue import LOWEST, Catalogue
from trainer.config import SearchConfig
from trainer.index import Index
from trainer.search.terms import TermIndex
from trainer.search.training import combine, interest_weights

CANDIDATES = 200
"""Items that each way of finding proposes, or as many as an answer has when these are more."""

SAMPLE = 1024
"""Items that tell what an average item's likeness is."""

PUSH = 3.0
"""How much an item loses for each deviation by which it resembles what is not wanted."""

FORGIVEN = 1.0
"""So many deviations of likeness to what is not wanted are taken for chance."""

PERSONAL = 4.0
"""Deviations that a person counts for beside words: a well matched word stands out by more than any taste."""


class Asked(NamedTuple):
    """One query with its person.

    Attributes:
      vectors: of its interests `[I, H]`.
      tokens: `[I, T]`.
      weight: `[I]`; 0 for what is not wanted or not known.
      negated: `[I]` bool.
      combined: the query vector `[H]`.
      user: `[D]`.
      personal: how much the person counts, 0 to 1.
      banned: item indices `[E]`.
    """

    vectors: tf.Tensor
    tokens: tf.Tensor
    weight: tf.Tensor
    negated: tf.Tensor
    combined: tf.Tensor
    user: tf.Tensor
    personal: tf.Tensor
    banned: tf.Tensor


class Search(tf.Module):
    """Finds the items that fit interests, and the person who asks.

    How well an item matches an interest is told in standard deviations above the average item, by meaning
    (the likeness of search vectors) and by words (BM25), added: so both speak, and whichever stands out
    decides. Matches are summed by the interests' weights; likeness to what is not wanted is taken off.

    Args:
      towers: a `trainer.towers.Towers`, or what loading one from a SavedModel gives.
      catalogue: the items.
      index: over the items' recommendation vectors, the reserved indices left out.
      meanings: an index over their search vectors.
      vectors: search vectors `[N, H]`.
      terms: of the items.
      config: the `search:` section.
      lift: what the scores of new items are lifted by, as `index` has it.
      count: items in an answer.
    """

    def __init__(
        self,
        towers: Any,
        catalogue: Catalogue,
        index: Index,
        meanings: Index,
        vectors: np.ndarray,
        terms: TermIndex,
        config: SearchConfig,
        lift: float,
        count: int,
    ) -> None:
        super().__init__(name="search")
        self._towers = towers
        self._catalogue = catalogue
        self._index = index
        self._meanings = meanings
        self._terms = terms
        self.personal = config.personal
        self._lift = lift
        self._count = count
        self.vectors = tf.Variable(vectors, trainable=False, name="search_vectors")
        rows = np.random.default_rng(0).permutation(len(vectors) - RESERVED)[:SAMPLE] + RESERVED
        self._sample = tf.Variable(np.sort(rows), trainable=False, name="sample")

    def __call__(
        self,
        query: tf.Tensor,
        user: tf.Tensor,
        known: tf.Tensor,
        personal: tf.Tensor,
        banned: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Answers queries.

        Args:
          query: `[B]` strings.
          user: user vectors `[B, D]`.
          known: whether anything is known of the person `[B]` bool; of nobody the words alone count.
          personal: how much the person counts, 0 to 1, `[B]`; what is no number counts as the config's.
          banned: item indices that must not come back `[B, E]`.

        Returns:
          `item [B, K]` indices, `score [B, K]`, `interest [B, I]` strings, `weight [B, I]` (negative for what
          is not wanted), `matched [B, K]` strings, and `match [B, K, I]` deviations.
        """
        text, negated, vectors, salience, tokens = self._towers.interests(query)
        read = tf.reduce_any(tokens > 0, 2)
        wanted = tf.logical_and(read, tf.logical_not(negated))
        negated = tf.logical_and(read, negated)
        weight = interest_weights(salience, wanted)
        personal = tf.where(tf.math.is_finite(personal), tf.clip_by_value(personal, 0.0, 1.0), self.personal)
        personal = tf.where(known, personal, 0.0)
        # Who names nothing that is wanted is shown what suits the person, or anybody.
        personal = tf.where(tf.reduce_any(wanted, 1), personal, 1.0)
        combined = combine(vectors, salience, wanted)
        asked = Asked(vectors, tokens, weight, negated, combined, user, personal, banned)
        item, score, match = tf.map_fn(
            lambda each: self._answer(Asked(*each)),
            tuple(_at_least_one(each) for each in asked),
            fn_output_signature=(
                tf.TensorSpec([self._count], tf.int64),
                tf.TensorSpec([self._count], tf.float32),
                tf.TensorSpec([self._count, None], tf.float32),
            ),
        )
        count = tf.size(query)
        item, score, match = item[:count], score[:count], match[:count]
        return {
            "item": item,
            "score": score,
            "interest": text,
            "weight": weight - tf.cast(negated, tf.float32),
            "matched": self._matched(text, weight, match, item),
            "match": match,
        }

    def _answer(self, asked: Asked) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The best items `[K]`, their scores `[K]` and how they match each interest `[K, I]`."""
        words = self._terms.scores(asked.tokens)
        items = self._candidates(asked, words)
        match = _deviations(tf.gather(words, items, axis=1), words)
        sample = tf.gather(self.vectors, self._sample)
        likeness = tf.matmul(asked.vectors, tf.gather(self.vectors, items), transpose_b=True)
        meaning = _deviations(likeness, tf.matmul(asked.vectors, sample, transpose_b=True))
        match += meaning
        unwanted = tf.nn.relu(match - FORGIVEN)
        taste = self._taste(asked.user, items)
        score = (1 - asked.personal) * tf.linalg.matvec(match, asked.weight, transpose_a=True)
        score += asked.personal * PERSONAL * taste
        score -= PUSH * tf.reduce_sum(tf.boolean_mask(unwanted, asked.negated), 0)
        excluded = tf.reduce_any(tf.equal(items[:, None], asked.banned[None, :]), 1)
        score = tf.where(excluded, LOWEST, score)
        score = tf.pad(score, [[0, self._count]], constant_values=LOWEST)
        best, order = tf.math.top_k(score, self._count)
        found = best > LOWEST
        items = tf.where(found, tf.gather(tf.pad(items, [[0, self._count]]), order), PADDING)
        match = tf.gather(tf.pad(tf.transpose(match), [[0, self._count], [0, 0]]), order)
        return items, best, tf.where(found[:, None], match, 0.0)

    def _candidates(self, asked: Asked, words: tf.Tensor) -> tf.Tensor:
        """Items `[M]`, each once, that one of the ways of finding proposes."""
        size = tf.shape(words)[1]
        banned = tf.size(tf.unique(asked.banned)[0])
        count = tf.minimum(max(CANDIDATES, self._count) + banned, size - RESERVED)
        by_words = tf.cast(tf.math.top_k(words, count).indices, tf.int64)
        meanings = tf.concat([asked.vectors, asked.combined[None]], 0)
        by_meaning = self._meanings.search(meanings, count)[0] + RESERVED
        by_person = self._index.search(asked.user[None], count)[0] + RESERVED
        proposed = tf.concat([tf.reshape(way, [-1]) for way in (by_words, by_meaning, by_person)], 0)
        items = tf.unique(proposed)[0]
        return tf.boolean_mask(items, items >= RESERVED)

    def _taste(self, user: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        scores, average = self._retrieval(user, items), self._retrieval(user, self._sample)
        return _deviations(scores[None], average[None])[0]

    def _retrieval(self, user: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """The retrieval scores of items `[M]` for a user vector."""
        # Of the variable's value: gathering from the variable itself would make every other reader copy it.
        scores = tf.linalg.matvec(tf.gather(self._catalogue.vectors.read_value(), items), user)
        new = tf.gather(self._catalogue.new.read_value(), items)
        return scores + self._lift * tf.cast(new, tf.float32)

    def _matched(self, text: tf.Tensor, weight: tf.Tensor, match: tf.Tensor, item: tf.Tensor) -> tf.Tensor:
        """For each item the interest that it owes most to; `""` when it owes to none."""
        # The place in front is for what owes to none.
        owed = tf.pad(match * weight[:, None, :], [[0, 0], [0, 0], [1, 0]])
        names = tf.pad(text, [[0, 0], [1, 0]], constant_values="")
        names = tf.gather(names, tf.argmax(owed, 2), batch_dims=1)
        return tf.where(item > PADDING, names, "")


def _at_least_one(rows: tf.Tensor) -> tf.Tensor:
    """Rows `[B, …]`, or one of zeros: the results of no row at all could not be stacked."""
    missing = tf.cast(tf.equal(tf.shape(rows)[0], 0), tf.int32)
    return tf.pad(rows, [[0, missing], *[[0, 0]] * (rows.shape.rank - 1)])


def _deviations(values: tf.Tensor, population: tf.Tensor) -> tf.Tensor:
    """Values `[I, M]` in standard deviations above the mean of a population `[I, S]`; 0 if all are one."""
    mean, variance = tf.nn.moments(population, 1, keepdims=True)
    return tf.math.divide_no_nan(values - mean, tf.sqrt(variance))
