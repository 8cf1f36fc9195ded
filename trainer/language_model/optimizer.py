"""The optimizer of a model whose language model learns at a rate of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from trainer.distribution.optimizer import Gradients, ReplicatedAdamW
from trainer.language_model.config import TuningConfig
from trainer.language_model.tuned import TunedLanguageModel


class WarmUpThenDecay(tf.keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly, then falls linearly to zero (Devlin et al. 2018).

    Args:
      peak: what it rises to.
      warmup: steps until then.
      steps: when it is zero.
    """

    def __init__(self, peak: float, warmup: int, steps: int) -> None:
        self._peak = peak
        self._warmup = warmup
        self._steps = steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate of a step, counted from 0."""
        done = tf.cast(step, tf.float32)
        rise = (done + 1.0) / (self._warmup + 1.0)
        fall = (self._steps - done) / max(1, self._steps - self._warmup)
        return self._peak * tf.clip_by_value(tf.minimum(rise, fall), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """The arguments."""
        return {"peak": self._peak, "warmup": self._warmup, "steps": self._steps}


class TwoRatesAdamW(ReplicatedAdamW):
    """AdamW that hands the weights of a language model to an AdamW of their own.

    Each of the two scales its gradients down to the same norm, so that neither starves the other.

    Args:
      language_model: whose weights these are.
      tuning: the language model's rate and weight decay.
      steps: that the training is planned for.
      gradient_norm: see `trainer.config.TrainConfig`.
      **options: for all other weights, as of AdamW.
    """

    def __init__(
        self,
        language_model: TunedLanguageModel,
        tuning: TuningConfig,
        steps: int,
        gradient_norm: float,
        **options: Any,
    ) -> None:
        super().__init__(global_clipnorm=gradient_norm, **options)
        self.second = ReplicatedAdamW(
            WarmUpThenDecay(tuning.learning_rate, tuning.warmup_steps, steps),
            weight_decay=tuning.weight_decay,
            global_clipnorm=gradient_norm,
        )
        self.second.exclude_from_weight_decay(language_model.undecayed)
        self._theirs = frozenset(weight.ref() for weight in language_model.tuned)

    def build(self, var_list: Iterable[tf.Variable]) -> None:
        """Makes the variables of both."""
        weights = list(var_list)
        super().build([weight for weight in weights if weight.ref() not in self._theirs])
        self.second.build([weight for weight in weights if weight.ref() in self._theirs])

    def apply_gradients(self, grads_and_vars: Gradients, *arguments: Any, **options: Any) -> tf.Variable:
        """One step of both; see `tf.keras.optimizers.Optimizer.apply_gradients`."""
        pairs = list(grads_and_vars)
        self.second.apply_gradients([pair for pair in pairs if pair[1].ref() in self._theirs])
        ours = [pair for pair in pairs if pair[1].ref() not in self._theirs]
        return super().apply_gradients(ours, *arguments, **options)
