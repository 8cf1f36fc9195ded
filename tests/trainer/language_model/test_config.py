import pytest

from preprocessing.schema import InputError
from tests.trainer.language_model.conftest import MODES, tuned
from trainer.config import TrainerConfig, parse_config
from trainer.language_model.config import MODES as KNOWN


def test_frozen_is_what_it_is_without_a_word():
    frozen = parse_config({"model": {"language_model": {"layers": 2}}}, "c").model.language_model
    assert frozen.model_dump() == {"mode": "frozen", "layers": 2}
    assert TrainerConfig().model.language_model.model_dump_json() == '{"mode":"frozen","layers":null}'


def test_nothing_teaches_a_language_model_that_is_not_read(config):
    values = tuned(config, "lora").model_dump(by_alias=True)
    values["model"]["item_content"] = False
    with pytest.raises(InputError, match=r"nothing would teach the language model \(mode lora\)"):
        parse_config(values, "c")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"mode": "frozen", "rank": 2},
            "rank is a setting of mode lora; the mode is frozen",
        ),
        ({"rank": 2}, "rank is a setting of mode lora; the mode is frozen"),
        ({"mode": "full", "tuned_layers": 2}, "tuned_layers is a setting of mode last_n; the mode is full"),
        ({"mode": "lora", "rnak": 2}, "language_model.rnak: unknown key"),
        ({"mode": "lora", "rank": 0}, r"language_model.rank: .*greater than 0 \(found 0\)"),
        ({"mode": "lora", "projections": ["query", "query"]}, "each projection may be named once"),
        ({"mode": "last_n"}, "language_model.tuned_layers: this key is required"),
        (
            {"mode": "last_n", "tuned_layers": 3, "layers": 2},
            r"tuned_layers \(3\) must be at most layers \(2\)",
        ),
        ({"mode": "some"}, "language_model: .*'frozen', 'lora', 'last_n', 'full'"),
        ({"mode": "frozen", "adversarial": 1.0}, "adversarial is a setting of mode lora, last_n, full"),
    ],
)
def test_settings_of_another_mode_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        parse_config({"model": {"language_model": settings}}, "c")


def test_all_modes_are_tried():
    assert {"frozen", *MODES} == {str(mode.model_fields["mode"].annotation.__args__[0]) for mode in KNOWN}
