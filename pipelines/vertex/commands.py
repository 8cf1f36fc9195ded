"""What the steps run in Tandem's image: the `tandem` command, between folders of the bucket.

A bucket is mounted below `/gcs` and knows no renaming of folders, which is how Tandem keeps half an artifact
from looking finished. So a step writes to the machine's disk and copies the whole at its end; the pipeline
goes on only from a step that ended well. Checkpoints alone are written to the bucket as training goes on.
"""

from __future__ import annotations

from pipelines.vertex.config import VertexConfig

PREPROCESS = """
work=$(mktemp -d)
printf '%s\\n' "$1" > "$work/config.yaml"
mkdir -p "$2" "$(dirname "$3")"
cp "$work/config.yaml" "$3"
output=$2
workers=$4
shift 4
tandem preprocess --config "$work/config.yaml" --output "$work/examples" --workers "$workers" -- "$@"
cp -r "$work/examples/." "$output"
"""
"""Arguments: the config's text, the folder for examples, the file for the config, processes, Beam options."""

TRAIN = """
work=$(mktemp -d)
mkdir -p "$3" "$4"
tandem train --config "$1" --examples "$2" --training "$3/training" --model "$work/model"
if test -d "$work/model"; then cp -r "$work/model/." "$4"; fi  # of several workers the first alone exports
"""
"""Arguments: the config, the examples, the folder for checkpoints, the folder for the model's versions."""

EVALUATE = """
mkdir -p "$3" "$(dirname "$4")" "$(dirname "$5")"
printf '%s' "$6" > "$5"
model=$1 examples=$2 output=$3 blessed=$4
shift 6
tandem evaluate --model "$model" --examples "$examples" --output "$output" "$@" \\
  || test -e "$output/blessing.json"
python -m pipelines.vertex.blessed "$output" > "$blessed"
"""
"""Arguments: the model's versions, the examples, the folder for the report, the files for the blessing and
for the model's address, that address, requirements. A model that is not blessed is no failure of the step."""


def shell(script: str) -> list[str]:
    """The command that runs a script and ends with the first command of it that fails."""
    return ["sh", "-euc", script.strip()]


def beam_options(vertex: VertexConfig) -> list[str]:
    """The options that make Apache Beam run on Dataflow; none where it runs in the step."""
    dataflow = vertex.dataflow
    if dataflow is None:
        return []
    options = [
        "--runner=DataflowRunner",
        f"--project={vertex.project}",
        f"--region={dataflow.region or vertex.region}",
        f"--temp_location={vertex.staging.rstrip('/')}/dataflow/temp",
        f"--staging_location={vertex.staging.rstrip('/')}/dataflow/staging",
        f"--sdk_container_image={vertex.image}",
        f"--machine_type={dataflow.machine_type}",
        f"--num_workers={dataflow.workers}",
        f"--max_num_workers={dataflow.maximum_workers}",
    ]
    if dataflow.subnetwork:
        options += [f"--subnetwork={dataflow.subnetwork}", "--no_use_public_ips"]
    if vertex.service_account:
        options.append(f"--service_account_email={vertex.service_account}")
    return options


def server_container(vertex: VertexConfig) -> dict[str, object]:
    """The container that serves, as `ModelContainerSpec` of Vertex AI.

    It answers TensorFlow Serving's REST protocol, whose predict call takes and gives what Vertex AI's does.
    """
    command = {"tandem": ["tandem", "serve"], "tensorflow-serving": ["tensorflow_model_server"]}
    return {
        "imageUri": vertex.serve.image or vertex.image,
        "command": command[vertex.serve.server],
        "args": [
            "--port=8500",
            "--rest_api_port=8501",
            "--model_name=tandem",
            # Vertex AI's copy of the folder of versions; it puts the address in.
            "--model_base_path=$(AIP_STORAGE_URI)",
        ],
        "ports": [{"containerPort": 8501}],
        "predictRoute": "/v1/models/tandem:predict",
        "healthRoute": "/v1/models/tandem",
    }
