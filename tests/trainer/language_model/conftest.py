import pytest

from trainer.config import TrainerConfig
from trainer.train import train

MODES = {
    "lora": {"mode": "lora", "rank": 2, "learning_rate": 0.02, "dropout": 0.1},
    "last_n": {"mode": "last_n", "tuned_layers": 1, "learning_rate": 0.002},
    "full": {"mode": "full", "learning_rate": 0.002},
}


def tuned(config: TrainerConfig, mode: str, train_settings=None, **settings) -> TrainerConfig:
    """The config of the other tests with a language model that learns, mostly from text alone."""
    values = config.model_dump(mode="json", by_alias=True)
    language_model = MODES[mode] | {"warmup_steps": 2, "texts_per_step": 16} | settings
    values["model"] |= {"language_model": language_model, "item_tokens": False}
    values["train"] |= {"epochs": 3} | (train_settings or {})
    return TrainerConfig.model_validate(values)


@pytest.fixture(scope="session", params=MODES)
def mode(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def tuned_training(tmp_path_factory, examples, config, mode, progress):
    """A finished training, and its config."""
    folder = tmp_path_factory.mktemp(f"tuned_{mode}") / "training"
    settings = tuned(config, mode)
    train(examples, folder, settings, progress)
    return folder, settings
