"""The training program: `python -m trainer.task`, as Vertex AI runs it.

Vertex AI says through the environment where things go (https://cloud.google.com/vertex-ai/docs/training/code-requirements):
`AIP_MODEL_DIR`, `AIP_CHECKPOINT_DIR` and `AIP_TENSORBOARD_LOG_DIR` are used where the options are not
given; `gs://` paths are read and written through the `/gcs` mount that every training job has.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from preprocessing.schema import InputError


def local_path(path: str) -> Path:
    """The place in the file system of a local or `gs://` path."""
    return Path("/gcs") / path.removeprefix("gs://") if path.startswith("gs://") else Path(path)


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer.task",
        description="Trains the two-tower model on preprocessed examples and exports it as a SavedModel. "
        "The same command goes on after an interruption, and does nothing again that is finished.",
    )
    parser.add_argument("--examples", required=True, help="the folder that `tandem preprocess` wrote")
    parser.add_argument(
        "--config", required=True, help="the YAML file with the sections model, train and export"
    )
    parser.add_argument(
        "--training",
        default=environment.get("AIP_CHECKPOINT_DIR"),
        help="the folder for checkpoints, logs and training.json (default: $AIP_CHECKPOINT_DIR)",
    )
    parser.add_argument(
        "--model",
        default=environment.get("AIP_MODEL_DIR"),
        help="the folder for exported versions (default: $AIP_MODEL_DIR)",
    )
    parser.add_argument(
        "--logs",
        default=environment.get("AIP_TENSORBOARD_LOG_DIR"),
        help="the folder for TensorBoard logs (default: $AIP_TENSORBOARD_LOG_DIR, else logs/ in --training)",
    )
    return parser


def run(examples: Path, config: Path, training: Path, model: Path | None, logs: Path | None) -> Path | None:
    """Trains and, when `model` is given, exports; of several workers the first alone does.

    Returns:
      the exported version's folder.

    Raises:
      InputError: see `trainer.train.train` and `trainer.export.export`.
    """
    # Imported here, so that --help and wrong arguments are answered without loading TensorFlow.
    from rich.console import Console

    from trainer.config import read_config
    from trainer.distribution.connecting import is_chief
    from trainer.export import export
    from trainer.progress import Progress
    from trainer.train import train

    sections = read_config(config)
    progress = Progress(Console(highlight=False))
    result = train(examples, training, sections, progress, logs)
    progress.say(result.summary)
    if model is None or not is_chief(sections.train.distribution):
        return None
    folder = export(examples, training, model, sections, progress)
    progress.say(f"exported {folder}")
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Parses the command line, trains and exports; 2 when the input cannot be used."""
    parser = _parser(os.environ)
    options = parser.parse_args(arguments)
    if options.training is None or options.model is None:
        parser.error("--training and --model are needed outside Vertex AI")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read on import; below it, complaints about GPUs
    examples, config = local_path(options.examples), local_path(options.config)
    training, model = local_path(options.training), local_path(options.model)
    try:
        logs = local_path(options.logs) if options.logs else None
        run(examples, config, training, model, logs)
    except InputError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{parser.prog}: error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
