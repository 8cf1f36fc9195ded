"""The steps of a run, each declared once."""

from __future__ import annotations

from pipelines.evaluation.files import METRICS_FILE
from pipelines.runs.graph import Graph
from pipelines.runs.step import Step
from pipelines.work.bless import bless, check_requirements
from pipelines.work.evaluate import REPORT_TEXT, evaluate
from pipelines.work.export import export
from pipelines.work.preprocess import preprocess
from pipelines.work.preprocess import sources as tables
from pipelines.work.push import check_folder, push
from pipelines.work.recommend import RECOMMENDATIONS, recommend
from pipelines.work.train import check_older_model, train
from pipelines.work.train import sources as older_model_and_tables

PREPROCESS = Step(
    name="preprocess",
    needs=(),
    reads=("name", "data"),
    code=("preprocessing", "pipelines.work.preprocess"),
    marker="schema.json",
    work=preprocess,
    sources=tables,
)
TRAIN = Step(
    name="train",
    needs=("preprocess",),
    reads=("model", "train", "export.candidates"),
    code=("trainer", "preprocessing.schema", "pipelines.work.train"),
    marker="training.json",
    work=train,
    sources=older_model_and_tables,
    ignores=("train.distribution",),
    check_places=check_older_model,
)
EXPORT = Step(
    name="export",
    needs=("preprocess", "train"),
    reads=("model", "train.refit", "search", "export"),
    code=("trainer", "preprocessing.schema", "pipelines.work.export"),
    marker="saved_model.pb",
    work=export,
)
EVALUATE = Step(
    name="evaluate",
    needs=("preprocess", "export"),
    reads=(),
    code=("pipelines.evaluation", "serving", "preprocessing.schema", "trainer", "pipelines.work.evaluate"),
    marker=METRICS_FILE,
    work=evaluate,
    shown=REPORT_TEXT,
)
BLESS = Step(
    name="bless",
    needs=("evaluate",),
    reads=("evaluate",),
    code=("pipelines.evaluation", "pipelines.work.bless"),
    marker="",
    work=bless,
    check=check_requirements,
)
PUSH = Step(
    name="push",
    needs=("export", "bless"),
    reads=("push",),
    code=("pipelines.work.push",),
    marker="saved_model.pb",
    work=push,
    check_places=check_folder,
)
RECOMMEND = Step(
    name="recommend",
    needs=("preprocess", "push"),
    reads=(),
    code=("serving", "pipelines.recommendations", "pipelines.work.recommend"),
    marker="",
    work=recommend,
    shown=RECOMMENDATIONS,
)
GRAPH = Graph((PREPROCESS, TRAIN, EXPORT, EVALUATE, BLESS, PUSH, RECOMMEND))
