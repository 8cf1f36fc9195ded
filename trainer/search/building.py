"""Makes what a version needs to be searched: learned views, and what they and the words say of each item."""

from __future__ import annotations

import io
from collections.abc import Sequence
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
from trainer.search.pseudo_queries import cut_pseudo_queries, item_documents
from trainer.search.reading import MOST_TOKENS, PIECE_TOKENS, Words, item_terms, read_tokens
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
    schema = tandem.schema
    if schema.language_model is None:
        raise ValueError("there are no texts to search by")
    folder = examples / schema.language_model.folder
    documents = item_documents(items, schema.items, examples)
    identity = f"{identity} {config.search.model_dump_json()}"
    tf.keras.utils.set_random_seed(config.train.seed)  # the same training is searched alike each time
    views = SearchViews(schema.items, reader.width)
    views.adapt(items.features)
    views.make_weights()
    texts = _restore(views, training / KEPT, identity)
    if texts is None:
        beginning = Words(folder, schema.language_model, read_tokens(schema.items))
        texts = _read("Reading what is written about the items", documents, beginning, reader, progress)
        queries = cut_pseudo_queries(items, schema.items, examples, config.train.seed)
        words = Words(folder, schema.language_model, PIECE_TOKENS)
        pieces = _read("Reading pieces of texts to search by", queries.texts, words, reader, progress)
        fit_views(
            views, queries, pieces, texts, items, schema.items, config.search, config.train.seed, progress
        )
        _keep(views, texts, training / KEPT, identity)
    progress.say("Indexing the words of the items")
    terms = item_terms(Words(folder, schema.language_model, MOST_TOKENS), documents)
    return views, FoundBy(_see(views, texts, items), terms)


def _see(views: SearchViews, texts: np.ndarray, items: EntityTable) -> np.ndarray:
    """Search vectors of all items; the reserved rows are zero."""
    batches = [np.zeros((RESERVED, texts.shape[1]), np.float32)]
    for begin in range(RESERVED, len(texts), BATCH):
        rows = slice(begin, begin + BATCH)
        features = {name: tf.constant(values[rows]) for name, values in items.features.items()}
        batches.append(views.items(tf.constant(texts[rows]), features).numpy())
    return np.concatenate(batches)


def _read(
    what: str, texts: Sequence[str], words: Words, reader: LanguageModel, progress: Progress
) -> np.ndarray:
    """Text vectors `[N, H]`."""
    batches = (list(texts[begin : begin + BATCH]) for begin in range(0, len(texts), BATCH))
    tokens = [words.tokens(tf.constant(batch)) for batch in batches]
    width = max((batch.shape[1] for batch in tokens), default=0)
    table = np.concatenate([np.zeros((0, width), np.int32), *(_widened(batch, width) for batch in tokens)])
    with progress.bar(what, len(table)) as advance:
        return encode_table(reader, table, advance)


def _widened(batch: tf.Tensor, width: int) -> np.ndarray:
    return np.pad(batch.numpy(), [(0, 0), (0, width - batch.shape[1])])


def _keep(views: SearchViews, texts: np.ndarray, path: Path, identity: str) -> None:
    content = io.BytesIO()
    weights = {f"{number:03}": weight for number, weight in enumerate(views.get_weights())}
    np.savez(content, identity=np.array(identity), texts=texts, **weights)
    write_whole(path, content.getbuffer())


def _restore(views: SearchViews, path: Path, identity: str) -> np.ndarray | None:
    """Takes over what is kept, if it belongs to this training: the items' text vectors, or None."""
    if not path.exists():
        return None
    with np.load(path) as kept:
        if str(kept["identity"]) != identity:
            return None
        names = sorted(set(kept.files) - {"identity", "texts"})
        views.set_weights([kept[name] for name in names])
        texts: np.ndarray = kept["texts"]
        return texts
