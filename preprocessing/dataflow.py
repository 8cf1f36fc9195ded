"""Checks what Dataflow needs before anything starts, where Beam would say it late, or nothing at all."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)

from preprocessing.config import DataConfig
from preprocessing.schema import InputError

RUNNER = "DataflowRunner"
PROJECT = re.compile(r"[a-z][-a-z0-9:.]+[a-z0-9]")
BUCKET = re.compile(r"gs://[a-z0-9][-_a-z0-9.]{1,61}[a-z0-9]/.+", re.DOTALL)


def check_dataflow(config: DataConfig, beam_options: Sequence[str]) -> None:
    """Checks options and tables, if the options name Dataflow; nothing of the cloud is asked.

    Raises:
      InputError: everything that is wrong or missing, one line a problem.
    """
    options = PipelineOptions(list(beam_options))
    if options.view_as(StandardOptions).runner not in (RUNNER, "dataflow"):
        return
    problems = [
        *_unknown(options),
        *_cloud(options.view_as(GoogleCloudOptions)),
        *_package(options),
        *_tables(config),
    ]
    if problems:
        raise InputError("\n".join(f"beam options for {RUNNER}: {problem}" for problem in problems))
    try:
        importlib.import_module("apache_beam.runners.dataflow.internal.apiclient")
    except ImportError as error:
        raise InputError(
            f"{RUNNER} needs the extra gcp: pip install -c constraints.txt -e '.[gcp]' ({error})"
        ) from None


def _unknown(options: PipelineOptions) -> Iterator[str]:
    """Beam passes over what it does not know, a misspelled option too."""
    known = set(PipelineOptions().get_all_options(drop_default=False))
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    for name in sorted(given.keys() - known):
        close = difflib.get_close_matches(name, known, n=1)
        yield f"--{name} is no option of Beam" + (f" (did you mean --{close[0]}?)" if close else "")


def _cloud(cloud: GoogleCloudOptions) -> Iterator[str]:
    if cloud.project is None:
        yield "--project=… is missing, the id of the Google Cloud project that runs the job"
    elif not PROJECT.fullmatch(cloud.project):
        yield f"--project={cloud.project} is no project id (lower-case letters, digits and dashes; no number)"
    if cloud.region is None:
        yield "--region=… is missing, where the job runs, such as europe-west4"
    if cloud.temp_location is None:
        yield "--temp_location=gs://BUCKET/FOLDER is missing, where the workers write"
    for name in ("temp_location", "staging_location"):
        place = getattr(cloud, name)
        if place is not None and not BUCKET.fullmatch(place):
            yield f"--{name}={place} must be a folder in a bucket: gs://BUCKET/FOLDER"


def _package(options: PipelineOptions) -> Iterator[str]:
    """The workers import `preprocessing`, which Beam's own image does not hold."""
    setup = options.view_as(SetupOptions)
    packages = setup.extra_packages or []
    if not (options.view_as(WorkerOptions).sdk_container_image or setup.setup_file or packages):
        yield (
            "the workers need Tandem: give --sdk_container_image=IMAGE with it installed (the Dockerfile "
            "under pipelines/vertex makes one), --setup_file=PATH/setup.py or --extra_package=PATH.whl"
        )
    for name, path in [("setup_file", setup.setup_file), *(("extra_package", each) for each in packages)]:
        if path is not None and not urlsplit(path).scheme and not Path(path).is_file():
            yield f"--{name}={path}: no such file"


def _tables(config: DataConfig) -> Iterator[str]:
    for name, (table, _) in config.tables.items():
        if not table.path.startswith("gs://"):
            yield f"{name}: {table.path} is not where the workers can read it; put it into a bucket: gs://…"
