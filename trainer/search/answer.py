"""Answers queries: interests are found by meaning and by words, weighed, and told apart in the answer."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from preprocessing.schema import PADDING, RESERVED
from trainer.catalogue import LOWEST, Catalogue
from trainer.config import ExportConfig, SearchConfig
from trainer.index import Index, build_index
from trainer.progress import Progress
from trainer.search.deviations import Population, deviations
from trainer.search.terms import TermIndex
from trainer.search.training import combine, interest_weights

CANDIDATES = 200
"""Items that each way of finding proposes, or as many as an answer has when these are more."""

EXACT_MEANINGS = 5_000
"""Search vectors up to which an index of them is exact; see `index_meanings`."""

PUSH = 3.0
"""How much an item loses for each deviation by which it resembles what is not wanted."""

FORGIVEN = 1.0
"""So many deviations of likeness to what is not wanted are taken for chance."""

PERSONAL = 4.0
"""Deviations that a person counts for beside words: a well matched word stands out by more than any taste."""


def index_meanings(vectors: np.ndarray, config: ExportConfig, progress: Progress) -> Index:
    """Builds the index over search vectors `[N, H]`.

    It is divided into leaves sooner than that of recommendations: its vectors are as long as the language
    model is wide, a query asks it once for every interest, and what it proposes is scored exactly anyway.
    """
    kind = config.scann if config.index == "scann" else config.portable
    exact = {"brute_force_below": min(kind.brute_force_below, EXACT_MEANINGS)}
    sooner = config.model_copy(update={config.index: kind.model_copy(update=exact)})
    return build_index(vectors, sooner, progress)


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
        self._likeness = Population(vectors[RESERVED:])
        lifted = np.concatenate([catalogue.vectors.numpy(), lift * catalogue.new.numpy()[:, None]], 1)
        self._tastes = Population(lifted[RESERVED:])

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
        likeness = tf.matmul(asked.vectors, tf.gather(self.vectors, items), transpose_b=True)
        match = deviations(tf.gather(words, items, axis=1), words)
        match += self._likeness.deviations(likeness, asked.vectors)
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
        wanted = asked.weight > 0
        by_words = tf.cast(tf.math.top_k(tf.boolean_mask(words, wanted), count).indices, tf.int64)
        vectors = tf.boolean_mask(asked.vectors, wanted)
        # One interest alone is what is combined.
        alone = tf.equal(tf.shape(vectors)[0], 1)
        meanings = tf.concat([vectors[: tf.where(alone, 0, tf.shape(vectors)[0])], asked.combined[None]], 0)
        by_meaning = self._meanings.search(meanings, count)[0] + RESERVED
        by_person = self._index.search(asked.user[None], count)[0] + RESERVED
        proposed = tf.concat([tf.reshape(way, [-1]) for way in (by_words, by_meaning, by_person)], 0)
        items = tf.unique(proposed)[0]
        return tf.boolean_mask(items, items >= RESERVED)

    def _taste(self, user: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """How far the retrieval scores of items `[M]` for a user vector stand out."""
        # Of the variable's value: gathering from the variable itself would make every other reader copy it.
        scores = tf.linalg.matvec(tf.gather(self._catalogue.vectors.read_value(), items), user)
        new = tf.gather(self._catalogue.new.read_value(), items)
        scores += self._lift * tf.cast(new, tf.float32)
        return self._tastes.deviations(
            scores[None], tf.pad(user[None], [[0, 0], [0, 1]], constant_values=1.0)
        )[0]

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
