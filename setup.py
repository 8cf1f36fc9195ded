"""Packaging of Tandem. `constraints.txt` pins what the ranges below resolved to."""

import ast
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
ROOMS = ("preprocessing", "trainer", "serving", "pipelines")


def version() -> str:
    """Reads `__version__` of the pipelines package, the one place where the version stands."""
    module = ast.parse((HERE / "pipelines" / "__init__.py").read_text(encoding="utf-8"))
    for node in module.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__version__":
            return str(ast.literal_eval(node.value))
    raise RuntimeError("pipelines/__init__.py holds no __version__")


BENCH = ["bm25s>=0.3", "implicit>=0.7", "polars>=1.30", "psutil>=6", "threadpoolctl>=3"]
TUNE = ["optuna>=4.5"]
VERTEX = ["google-cloud-aiplatform>=1.148,<2", "google-cloud-pipeline-components>=2.22,<3", "kfp==2.17.*"]

setup(
    name="tandem-recommender",
    version=version(),
    description="A text-aware recommender on TensorFlow: language and behaviour in one two-tower model",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.13",
    packages=find_packages(include=[*ROOMS, *(f"{room}.*" for room in ROOMS)]),
    package_data={"pipelines.evaluation.page": ["report.css", "report.html.jinja"]},
    install_requires=[
        "aiohttp>=3.10,<4",
        "apache-beam[tfrecord]>=2.77,<3",
        "fasteners>=0.19",
        "google-crc32c>=1.5",
        "grpcio>=1.70",
        "grpcio-health-checking>=1.70",
        "grpcio-reflection>=1.70",
        "huggingface-hub>=0.30,<1",
        "jinja2>=3.1",
        "markupsafe>=2.1",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "orjson>=3.10.4,<4",
        "platformdirs>=4",
        "pyarrow>=14",
        "pydantic>=2.7,<3",
        "pyyaml>=6",
        "requests>=2.31",
        "rich>=13",
        "scipy>=1.11",
        "scann==1.4.2",  # each scann wheel is bound to one TensorFlow minor
        "tensorboard==2.20.*",
        "tensorflow==2.20.*",
        "tensorflow-recommenders==0.7.7",
        "tensorflow-serving-api==2.20.*",
        "tensorflow-text==2.20.*",
        "tf-keras==2.20.*",
        "tokenizers>=0.21",
        "transformers>=4.53,<4.54",  # the last that loads a TF BERT from safetensors without torch
        "typer>=0.12",
    ],
    extras_require={
        "gcp": ["apache-beam[gcp]>=2.77,<3"],
        "vertex": ["apache-beam[gcp]>=2.77,<3", *VERTEX],
        "tune": TUNE,
        "test": [
            *BENCH,
            *TUNE,
            *VERTEX,
            "cryptography>=42",
            "google-cloud-dataflow-client>=0.8",
            "hypothesis>=6",
            "import-linter>=2",
            "kubernetes-validate>=1.37",
            "mypy>=1.11",
            "pytest>=8",
            "pytest-timeout>=2",
            "pytest-xdist>=3",
            "ruff>=0.6",
            "types-pyyaml",
            "types-requests",
        ],
        "bench": BENCH,
    },
    entry_points={"console_scripts": ["tandem = pipelines.cli:main"]},
)
