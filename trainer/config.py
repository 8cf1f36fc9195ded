"""The `model:`, `train:` and `export:` sections of a config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pydantic

from preprocessing.schema import Document, InputError, parse, read_config_mapping
from trainer.distribution.config import AnyDistributionConfig, OneConfig, are_on_tpu
from trainer.language_model.config import AnyLanguageModelConfig, FrozenConfig, TuningConfig

Share = Annotated[float, pydantic.Field(ge=0, lt=1)]
Weight = Annotated[float, pydantic.Field(ge=0)]


class LossWeights(Document):
    """Weights of `gamma * L_pair + alpha * L_user + beta * L_item + lambda * L_semantic`; 0 switches off.

    Attributes:
      gamma: retrieval, a softmax over the items.
      alpha: ranking, the label's squared error or, without labels, click cross-entropy.
      beta: categorical and multi-valued attributes of items, told from their text alone.
      lambda: retrieval once more, with the IDs of all items hidden.
    """

    gamma: Weight = 1.0
    alpha: Weight = 0.5
    beta: Weight = 0.0
    semantic: Annotated[float, pydantic.Field(ge=0, alias="lambda")] = 0.0

    @pydantic.model_validator(mode="after")
    def _something_is_learned(self) -> LossWeights:
        if not (self.gamma or self.alpha or self.semantic):
            raise ValueError("gamma, alpha or lambda must be above 0: nothing else teaches what people like")
        return self


class NegativesConfig(Document):
    """What the next item is told apart from.

    Attributes:
      kind: `full`: from every item; `sampled`: from the other items of the batch and a uniform sample, with
        log-Q correction; `auto`: the former while there are at most `full_below` items with interactions.
      uniform: items drawn uniformly for a step of sampled training.
      hardness: above 0, negatives that score high weigh more.
    """

    kind: Literal["auto", "full", "sampled"] = "auto"
    full_below: pydantic.NonNegativeInt = 50_000
    uniform: pydantic.PositiveInt = 4096
    hardness: Weight = 0.0


class ModelConfig(Document):
    """The two towers and the ranker.

    Attributes:
      dimension: width of item and user vectors.
      history: the most items of a history that the user tower reads.
      blocks, heads: of the user tower's causal transformer.
      dropout: of the user tower; `ranker_dropout` of the ranker.
      item_id: learn an embedding and a bias for each item; off, together with `user_id`, means that the
        language model and the attributes alone recommend.
      item_content: read the texts and attributes of items; off means that IDs alone recommend.
      item_tokens: learn an embedding for each token of the items' texts too, whose mean joins the item
        vector: what a brand means to these users, which a frozen language model cannot know.
      id_dropout: share of items whose ID embedding is hidden in a training step, so that text and
        attributes learn to carry an item alone.
      user_id: learn an embedding and a bias for each user, for ranking; off means that nothing
        personal is stored in the weights.
      user_dropout: share of windows whose user is hidden in training, so that new users are served.
      temperature: divides the retrieval scores in training.
    """

    dimension: Annotated[int, pydantic.Field(ge=4)] = 64
    history: Annotated[int, pydantic.Field(ge=1)] = 100
    blocks: Annotated[int, pydantic.Field(ge=1)] = 2
    heads: Annotated[int, pydantic.Field(ge=1)] = 2
    dropout: Share = 0.2
    ranker_dropout: Share = 0.4
    item_id: bool = True
    item_content: bool = True
    item_tokens: bool = False
    id_dropout: Share = 0.1
    user_id: bool = True
    user_dropout: Share = 0.1
    temperature: Annotated[float, pydantic.Field(ge=0.02)] = 0.1
    negatives: NegativesConfig = NegativesConfig()
    language_model: AnyLanguageModelConfig = FrozenConfig()
    loss: LossWeights = LossWeights()

    @pydantic.model_validator(mode="after")
    def _heads_share_the_dimension(self) -> ModelConfig:
        if self.dimension % self.heads:
            raise ValueError(f"dimension {self.dimension} must be a multiple of heads {self.heads}")
        return self

    @pydantic.model_validator(mode="after")
    def _items_are_known_by_something(self) -> ModelConfig:
        if not self.item_id and not self.item_content:
            raise ValueError("item_id and item_content are both off: nothing would tell items apart")
        return self

    @pydantic.model_validator(mode="after")
    def _tuning_needs_a_reader(self) -> ModelConfig:
        if isinstance(self.language_model, TuningConfig) and not self.item_content:
            mode = self.language_model.mode
            raise ValueError(f"item_content is off: nothing would teach the language model (mode {mode})")
        return self


class TrainConfig(Document):
    """How long and how fast to learn.

    Attributes:
      batch_size: training windows a step.
      patience: epochs without a better validation NDCG@10 before training stops.
      averaging: what is validated and exported is the running average of the weights, of which each
        step keeps this share; 0 takes the weights as they are.
      gradient_norm: gradients are scaled down to this global norm.
      refit: once the best number of epochs is known, learn anew for so long from the training and the
        validation part together, and export that: nobody's newest interactions are left out, for twice
        the time. What validated comes behind a user's training interactions, whatever its time.
    """

    epochs: pydantic.PositiveInt = 100
    batch_size: pydantic.PositiveInt = 64
    learning_rate: Annotated[float, pydantic.Field(gt=0)] = 2e-3
    weight_decay: Weight = 1e-4
    gradient_norm: Annotated[float, pydantic.Field(gt=0)] = 1.0
    averaging: Share = 0.99
    patience: pydantic.PositiveInt = 10
    refit: bool = False
    seed: Annotated[int, pydantic.Field(ge=0, lt=2**32)] = 0
    distribution: AnyDistributionConfig = OneConfig()

    @pydantic.model_validator(mode="after")
    def _a_tpu_makes_tables_once(self) -> TrainConfig:
        if self.refit and are_on_tpu(self.distribution):
            raise ValueError(
                "refit makes a second model, and a TPU holds sharded id_tables of one alone; choose refit: "
                "false or replicated tables"
            )
        return self


class ScannConfig(Document):
    """The ScaNN index.

    A catalogue of at most `brute_force_below` items is scored exactly; above that the index is a
    partition tree with anisotropic quantisation and exact re-ordering (Guo et al. 2020,
    https://arxiv.org/abs/1908.10396; sizes after ScaNN's docs/algorithms.md).

    Attributes:
      leaves: partitions; twice the square root of the catalogue's size when not given.
      leaves_to_search: partitions read for a query; 2.5 times the square root of their number when not given.
      reorder: candidates whose scores are computed exactly.
    """

    brute_force_below: pydantic.NonNegativeInt = 20_000
    leaves: pydantic.PositiveInt | None = None
    leaves_to_search: pydantic.PositiveInt | None = None
    reorder: pydantic.PositiveInt = 500


class PortableConfig(Document):
    """The index of stock TensorFlow operations.

    A catalogue of at most `brute_force_below` items is scored exactly; above that it is divided into leaves,
    and the items of the nearest leaves are scored.

    Attributes:
      leaves: partitions; the square root of the catalogue's size when not given.
      leaves_to_search: partitions read for a query; twice the square root of their number when not given.
    """

    brute_force_below: pydantic.NonNegativeInt = 20_000
    leaves: pydantic.PositiveInt | None = None
    leaves_to_search: pydantic.PositiveInt | None = None


class SearchConfig(Document):
    """Search in plain language, learned from pieces of what is known of items, when these have texts.

    Attributes:
      enabled: whether the model answers `search` at all.
      interests: the most that one query is taken apart into.
      personal: how much a person's history counts beside their words, unless the request says otherwise;
        0 is the words alone, 1 the person alone.
      epochs, batch_size, learning_rate, temperature: of learning from pseudo-queries.
    """

    enabled: bool = True
    interests: Annotated[int, pydantic.Field(ge=1, le=32)] = 8
    personal: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.3
    epochs: pydantic.PositiveInt = 6
    batch_size: pydantic.PositiveInt = 256
    learning_rate: Annotated[float, pydantic.Field(gt=0)] = 2e-3
    temperature: Annotated[float, pydantic.Field(ge=0.02)] = 0.05


class ExportConfig(Document):
    """What the SavedModel answers.

    Attributes:
      k: items in an answer.
      candidates: items that retrieval hands to the ranker, at least `k`.
      exclude_history: never recommend what is in the history.
      stored_history: the newest interactions kept for each known user, for requests without a
        history; 0 keeps none.
      new_item_lift: added to the retrieval scores, which are cosines, of items that training saw no
        interaction with: what is known of them alone seldom lifts them above items that are known well.
      index: `scann`: the fastest, needs ScaNN's operations in the server; `portable`: stock TensorFlow
        operations alone, for a tensorflow/serving image as it is.
      scann, portable: the sizes of either.
    """

    k: pydantic.PositiveInt = 100
    candidates: pydantic.PositiveInt = 100
    exclude_history: bool = True
    stored_history: pydantic.NonNegativeInt = 1000
    new_item_lift: Annotated[float, pydantic.Field(ge=0, le=1)] = 0.0
    index: Literal["scann", "portable"] = "scann"
    scann: ScannConfig = ScannConfig()
    portable: PortableConfig = PortableConfig()

    @pydantic.model_validator(mode="after")
    def _enough_candidates(self) -> ExportConfig:
        if self.candidates < self.k:
            raise ValueError(f"candidates ({self.candidates}) must be at least k ({self.k})")
        return self


class TrainerConfig(Document):
    """The trainer's part of a config file."""

    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    search: SearchConfig = SearchConfig()
    export: ExportConfig = ExportConfig()


SECTIONS = frozenset(TrainerConfig.model_fields)
OTHER_ROOMS = frozenset({"name", "data", "evaluate", "push", "tune", "vertex"})


def parse_config(values: dict[str, object], where: str) -> TrainerConfig:
    """Takes the trainer's sections out of a whole config.

    Raises:
      InputError: a section that no room knows, or a value that is not allowed.
    """
    unknown = sorted(set(values) - SECTIONS - OTHER_ROOMS)
    if unknown:
        allowed = ", ".join(sorted(SECTIONS | OTHER_ROOMS))
        raise InputError(f"{where}: unknown section {', '.join(unknown)}; allowed: {allowed}")
    given = {key: values[key] for key in SECTIONS & set(values) if values[key] is not None}
    return parse(TrainerConfig, given, where)


def read_config(path: Path) -> TrainerConfig:
    """Reads the trainer's sections of a config file."""
    return parse_config(read_config_mapping(path), str(path))
