"""What the SavedModel computes: one method a signature."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from preprocessing.schema import PADDING, RESERVED, Schema
from trainer.catalogue import LOWEST, Catalogue
from trainer.config import ExportConfig
from trainer.index import Index
from trainer.raw_columns import cell_specs
from trainer.search.answer import Search
from trainer.tracing import graph


class ServingModel(tf.Module):
    """Answers requests in raw ids and strings.

    Item vectors are computed once and kept; the user tower and the ranker run for each request.

    Args:
      towers: a `trainer.towers.Towers`, or what loading one from a SavedModel gives.
      catalogue: the items.
      index: over the vectors of the catalogue's items, the reserved indices left out; it lifts new items.
      search: answers queries; None for a model that cannot be searched.
      schema: of the examples.
      config: the `export:` section.
      blend: weight of the ranking score in the serving score.
    """

    def __init__(
        self,
        towers: Any,
        catalogue: Catalogue,
        index: Index,
        search: Search | None,
        schema: Schema,
        config: ExportConfig,
        blend: float,
    ) -> None:
        super().__init__(name="tandem")
        self.towers = towers
        self.catalogue = catalogue
        self._index = index
        self._search = search
        self._schema = schema
        self._config = config
        self._blend = blend

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The traced signatures by name, as docs/architecture.md lists them."""
        user_id = tf.TensorSpec([None], tf.string, "user_id")
        item_id = tf.TensorSpec([None], tf.string, "item_id")
        history = tf.TensorSpec([None, None], tf.string, "history")
        exclude = tf.TensorSpec([None, None], tf.string, "exclude")
        candidates = tf.TensorSpec([None, None], tf.string, "candidate_id")
        traced = {
            "serving_default": graph(self.recommend).get_concrete_function(user_id, history, exclude),
            "retrieve": graph(self.retrieve).get_concrete_function(user_id, history, exclude),
            "rank": graph(self.rank).get_concrete_function(user_id, history, candidates),
            "similar": graph(self.similar).get_concrete_function(item_id, exclude),
            "embed_user": graph(self.embed_user).get_concrete_function(user_id, history),
            "describe": graph(self.describe).get_concrete_function(item_id),
        }
        if self._schema.items.columns:

            def embed_item(**cells: tf.Tensor) -> dict[str, tf.Tensor]:
                return self.embed_item(cells)

            raw = cell_specs(self._schema.items)
            traced["embed_item"] = graph(embed_item).get_concrete_function(**raw)
        if self._schema.users.columns:

            def welcome(history: tf.Tensor, exclude: tf.Tensor, **cells: tf.Tensor) -> dict[str, tf.Tensor]:
                return self.welcome(cells, history, exclude)

            raw = cell_specs(self._schema.users)
            traced["welcome"] = graph(welcome).get_concrete_function(history=history, exclude=exclude, **raw)
        if self._search is not None:
            query = tf.TensorSpec([None], tf.string, "query")
            personal = tf.TensorSpec([None], tf.float32, "personal")
            traced["search"] = graph(self.search).get_concrete_function(query, history, exclude)
            traced["search_as"] = graph(self.search_as).get_concrete_function(
                query, user_id, history, exclude, personal
            )
        return traced

    # Signatures: strings in, strings out.

    def recommend(self, user_id: tf.Tensor, history: tf.Tensor, exclude: tf.Tensor) -> dict[str, tf.Tensor]:
        """The best items by the blend of retrieval and ranking, each with its reason."""
        user, past, banned = self._request(user_id, history, exclude)
        return self._recommend(user, self.towers.about_user(user), past, banned)

    def welcome(
        self, cells: dict[str, tf.Tensor], history: tf.Tensor, exclude: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """As `recommend`, for people whom the model does not know: they bring their raw columns along."""
        nobody = tf.fill([tf.shape(history)[0]], "")
        user, past, banned = self._request(nobody, history, exclude)
        return self._recommend(user, self.towers.profile(cells), past, banned)

    def _recommend(
        self, user: tf.Tensor, about: tf.Tensor, past: tf.Tensor, banned: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        vector, newest = self._user_vectors(about, past)
        if self._blend:
            items, retrieved = self._candidates(vector, banned, self._config.candidates)
            scores = self._ranking(user, vector, items)
            score = tf.where(items > PADDING, retrieved + self._blend * scores, LOWEST)
            score, order = tf.math.top_k(score, self._config.k)
            items = tf.gather(items, order, batch_dims=1)
        else:  # ranking would change nothing, and costs about as much as all the rest
            items, score = self._candidates(vector, banned, self._config.k)
        return {
            "item_id": self._ids(items),
            "score": score,
            "because": self._ids(self._because(items, newest)),
        }

    def retrieve(self, user_id: tf.Tensor, history: tf.Tensor, exclude: tf.Tensor) -> dict[str, tf.Tensor]:
        """The candidates by retrieval alone."""
        user, past, banned = self._request(user_id, history, exclude)
        vector, _ = self._user_vectors(self.towers.about_user(user), past)
        items, score = self._candidates(vector, banned, self._config.k)
        return {"item_id": self._ids(items), "score": score}

    def rank(self, user_id: tf.Tensor, history: tf.Tensor, candidate_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """Serving scores, their retrieval part, and predicted labels of given candidates.

        An unknown candidate has the lowest scores.
        """
        user, past, _ = self._request(user_id, history, tf.zeros([tf.shape(user_id)[0], 0], tf.string))
        vector, _ = self._user_vectors(self.towers.about_user(user), past)
        items = self.catalogue.index(candidate_id)
        scores = self._ranking(user, vector, items)
        retrieved = tf.einsum("bd,bcd->bc", vector, self._vectors(items))
        if self._config.new_item_lift:
            new = tf.gather(self.catalogue.new.read_value(), items)
            retrieved += self._config.new_item_lift * tf.cast(new, tf.float32)
        known = items >= RESERVED
        return {
            "score": tf.where(known, retrieved + self._blend * scores, LOWEST),
            "retrieved": tf.where(known, retrieved, LOWEST),
            "rating": self.towers.ratings(scores),
        }

    def similar(self, item_id: tf.Tensor, exclude: tf.Tensor) -> dict[str, tf.Tensor]:
        """The items nearest to a given one, itself left out; nothing for an unknown item."""
        item = self.catalogue.index(item_id)[:, None]
        banned = tf.concat([item, self.catalogue.index(exclude)], 1)
        items, score = self._candidates(self._vectors(item[:, 0]), banned, self._config.k)
        known = item >= RESERVED
        return {
            "item_id": self._ids(tf.where(known, items, PADDING)),
            "score": tf.where(known, score, LOWEST),
        }

    def embed_item(self, cells: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The vector of an item that need not be in the catalogue, from its raw columns."""
        return {"embedding": self.towers.embed_item(cells)}

    def embed_user(self, user_id: tf.Tensor, history: tf.Tensor) -> dict[str, tf.Tensor]:
        """The user vector that retrieval searches with."""
        user, past, _ = self._request(user_id, history, tf.zeros([tf.shape(user_id)[0], 0], tf.string))
        return {"embedding": self._user_vectors(self.towers.about_user(user), past)[0]}

    def search(self, query: tf.Tensor, history: tf.Tensor, exclude: tf.Tensor) -> dict[str, tf.Tensor]:
        """The items that fit queries in plain language, and the interests that these are made of."""
        nobody, personal = tf.fill(tf.shape(query), ""), tf.fill(tf.shape(query), self._searched.personal)
        return self.search_as(query, nobody, history, exclude, personal)

    def search_as(
        self,
        query: tf.Tensor,
        user_id: tf.Tensor,
        history: tf.Tensor,
        exclude: tf.Tensor,
        personal: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """As `search`, for a user by name, with a share of 0 to 1 that says how much the person counts."""
        user, past, banned = self._request(user_id, history, exclude)
        vector, newest = self._user_vectors(self.towers.about_user(user), past)
        answer = self._searched(query, vector, tf.reduce_any(newest > PADDING, 1), personal, banned)
        return {"item_id": self._ids(answer.pop("item"))} | answer

    def describe(self, item_id: tf.Tensor) -> dict[str, tf.Tensor]:
        """What people call the items; `""` for an item that is not in the catalogue."""
        return {"title": tf.gather(self.catalogue.titles, self.catalogue.index(item_id))}

    @property
    def _searched(self) -> Search:
        if self._search is None:
            raise ValueError("this model cannot be searched")
        return self._search

    # Steps that the signatures share: indices in, indices out.

    def _request(
        self, user_id: tf.Tensor, history: tf.Tensor, exclude: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Indices of users `[B]`, of history items with padding `[B, H]`, of excluded ones `[B, E]`."""
        user = self.towers.user_index(user_id)
        index = self.catalogue.index(tf.concat([history, exclude], 1))  # one look-up costs less than two
        given, banned = index[:, : tf.shape(history)[1]], index[:, tf.shape(history)[1] :]
        empty = tf.reduce_all(tf.equal(given, PADDING), 1)
        # A user's stored history stands in for an empty one; that of nobody is empty.
        stored = self.towers.stored_history(tf.where(empty, user, PADDING))
        past = tf.concat([given, stored.to_tensor(PADDING)], 1)
        past = tf.where(past >= RESERVED, past, PADDING)
        if self._config.exclude_history:
            banned = tf.concat([banned, past], 1)
        return user, past, banned

    def _user_vectors(self, about: tf.Tensor, past: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """User vectors `[B, D]`, and the newest history items `[B, L]` that they were made from."""
        return self.towers.user_vectors(past, about, self.catalogue.vectors.read_value())

    def _candidates(self, queries: tf.Tensor, banned: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The best items that are not banned `[B, count]` and their scores; padding at the end."""
        most = tf.reduce_max(tf.reduce_sum(tf.cast(banned >= RESERVED, tf.int32), 1), 0)
        rows, scores = self._index.search(queries, count + tf.maximum(most, 0))
        items = rows + RESERVED
        # One more place, so that there is always something to compare with.
        banned = tf.pad(tf.sort(banned, axis=1), [[0, 0], [0, 1]], constant_values=banned.dtype.max)
        nearest = tf.gather(banned, _first_not_below(banned, items), batch_dims=1)
        kept = tf.logical_and(tf.not_equal(nearest, items), tf.math.is_finite(scores))
        # They fall already, so the n-th that is kept goes to place n; behind the last there is padding.
        number = tf.broadcast_to(tf.range(1, count + 1), [tf.shape(items)[0], count])
        place = _first_not_below(tf.cumsum(tf.cast(kept, tf.int32), 1), number)
        items = tf.pad(items, [[0, 0], [0, 1]], constant_values=PADDING)
        scores = tf.pad(scores, [[0, 0], [0, 1]], constant_values=LOWEST)
        return tf.gather(items, place, batch_dims=1), tf.gather(scores, place, batch_dims=1)

    def _ranking(self, user: tf.Tensor, vector: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        """The ranker's scores of candidates `[B, C]`."""
        return self.towers.ranking(user, items, vector, self._vectors(items))

    def _because(self, items: tf.Tensor, past: tf.Tensor) -> tf.Tensor:
        """For each item `[B, K]` the history item `[B, L]` that is nearest to it; padding without history."""
        # The padding place in front is what is pointed at when there is no history.
        past = tf.pad(past, [[0, 0], [1, 0]], constant_values=PADDING)
        nearness = tf.matmul(self._vectors(items), self._vectors(past), transpose_b=True)
        nearness = tf.where((past > PADDING)[:, None, :], nearness, LOWEST)
        nearest = tf.gather(past, tf.argmax(nearness, 2), batch_dims=1)
        return tf.where(items > PADDING, nearest, PADDING)

    def _vectors(self, items: tf.Tensor) -> tf.Tensor:
        # Of the variable's value: gathering from the variable itself would make every other reader copy it.
        return tf.gather(self.catalogue.vectors.read_value(), items)

    def _ids(self, items: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.catalogue.item_ids, items)


def _first_not_below(rising: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """As `tf.searchsorted` of rows `[B, N]` and values `[B, M]`, without the reshaping that it does."""
    return tf.raw_ops.LowerBound(sorted_inputs=rising, values=values)
