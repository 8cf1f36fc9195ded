"""Makes what a version needs to be searched: learned views, and what they and the words say of each item."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import tensorflow as tf

from preprocessing.schema import RESERVED, Schema, write_whole
from trainer.config import TrainerConfig
from trainer.dataset import EntityTable
from trainer.language_model.bert import LanguageModel
from trainer.language_model.table import encode_table
from trainer.model import Tandem
from trainer.progress import Progress
from trainer.search.found_by import FoundBy
from trainer.search.pseudo_queries import PseudoQueries, attribute_values, cut_pseudo_queries
from trainer.search.reading import MOST_TOKENS, PIECE_TOKENS, Words, item_terms
from trainer.search.training import fit_views
from trainer.search.views import SearchViews

KEPT = "search.npz"
BATCH = 1024


def can_search(schema: Schema, config: TrainerConfig) -> bool:
    """Whether a model of these examples answers queries: it has texts to find items by."""
    return config.search.enabled and schema.items.text is not None and schema.language_model is not None


def make_searchable(
    examples: Path,
    training: Path,
    tandem: Tandem,
    config: TrainerConfig,
    items: EntityTable,
    reader: LanguageModel,
    identity: str,
    progress: Progress,
) -> tuple[SearchViews, FoundBy]:
    """Learns the views, unless they are kept from an earlier export of the same training, and applies them.

    Args:
      examples: the examples folder.
      training: the training folder; the views are kept in it.
      tandem: the trained model, with texts of items.
      config: the trainer's sections of the config.
      items: their table.
      reader: the language model that read the texts.
      identity: of the training.
      progress: where to show it.
    """
    schema, texts = tandem.schema, tandem.item_texts
    if schema.language_model is None or texts is None:
        raise ValueError("there are no texts to search by")
    folder = examples / schema.language_model.folder
    views = SearchViews(schema.items, texts.shape[1])
    views.adapt(items.features)
    views.make_weights()
    identity = f"{identity} {config.search.model_dump_json()}"
    if not _restore(views, training / KEPT, identity):
        queries = cut_pseudo_queries(items, schema.items, examples, config.train.seed)
        words = Words(folder, schema.language_model, PIECE_TOKENS)
        pieces = _read_pieces(queries, words, reader, progress)
        fit_views(
            views, queries, pieces, texts, items, schema.items, config.search, config.train.seed, progress
        )
        _keep(views, training / KEPT, identity)
    values = attribute_values(items, schema.items, examples)
    documents = [". ".join([text, *more]) for text, more in zip(items.texts, values, strict=True)]
    progress.say("Indexing the words of the items")
    terms = item_terms(Words(folder, schema.language_model, MOST_TOKENS), documents)
    return views, FoundBy(_see(views, texts, items), terms)


def _see(views: SearchViews, texts: tf.Tensor, items: EntityTable) -> np.ndarray:
    """Search vectors of all items; the reserved rows are zero."""
    batches = [np.zeros((RESERVED, texts.shape[1]), np.float32)]
    for begin in range(RESERVED, len(items.ids), BATCH):
        rows = slice(begin, begin + BATCH)
        features = {name: tf.constant(values[rows]) for name, values in items.features.items()}
        batches.append(views.items(texts[rows], features).numpy())
    return np.concatenate(batches)


def _read_pieces(
    queries: PseudoQueries, words: Words, reader: LanguageModel, progress: Progress
) -> np.ndarray:
    tokens = [
        words.tokens(tf.constant(queries.texts[i : i + BATCH])) for i in range(0, len(queries.texts), BATCH)
    ]
    width = max((batch.shape[1] for batch in tokens), default=0)
    table = np.concatenate([np.zeros((0, width), np.int32), *(_widened(batch, width) for batch in tokens)])
    with progress.bar("Reading pieces of texts to search by", len(table)) as advance:
        return encode_table(reader, table, advance)


def _widened(batch: tf.Tensor, width: int) -> np.ndarray:
    return np.pad(batch.numpy(), [(0, 0), (0, width - batch.shape[1])])


def _keep(views: SearchViews, path: Path, identity: str) -> None:
    content = io.BytesIO()
    weights = {f"{number:03}": weight for number, weight in enumerate(views.get_weights())}
    np.savez(content, identity=np.array(identity), **weights)
    write_whole(path, content.getbuffer())


def _restore(views: SearchViews, path: Path, identity: str) -> bool:
    """Takes over what is kept, if it belongs to this training."""
    if not path.exists():
        return False
    with np.load(path) as kept:
        if str(kept["identity"]) != identity:
            return False
        views.set_weights([kept[name] for name in sorted(kept.files) if name != "identity"])
    return True
