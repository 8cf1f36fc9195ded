"""Language models of the Hugging Face hub."""

from __future__ import annotations

import os
import re
from pathlib import Path

from preprocessing.schema import InputError

HUB = "hub://"
REFERENCE = re.compile(r"hub://([\w.-]+(?:/[\w.-]+)?)(?:@([\w./-]+))?")
DESCRIPTION = ("config.json", "vocab.txt", "tokenizer_config.json")


def fetch_from_hub(reference: str) -> Path:
    """Gives the folder of a model, downloading it into the hub's own cache when it is not there yet.

    The variables of huggingface_hub hold (`HF_HOME`, `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`).

    Args:
      reference: `hub://OWNER/NAME` or `hub://OWNER/NAME@REVISION`.

    Raises:
      InputError: no such model, or neither the hub nor the cache gives it.
    """
    parts = REFERENCE.fullmatch(reference)
    if parts is None:
        raise InputError(f"{reference}: must be hub://OWNER/NAME or hub://OWNER/NAME@REVISION")
    name, revision = parts.groups()
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    folder = _snapshot(name, revision, [*DESCRIPTION, "model.safetensors"])
    if not (folder / "model.safetensors").exists():
        folder = _snapshot(name, revision, [*DESCRIPTION, "tf_model.h5"])
    return folder


def _snapshot(name: str, revision: str | None, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=files))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"hub://{name}: the hub gave no such model: {reason}; check its name and the network, or name a "
            "folder that holds it"
        ) from None
