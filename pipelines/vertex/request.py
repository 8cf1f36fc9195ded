"""The request that starts the pipeline on Vertex AI."""

from __future__ import annotations

from datetime import datetime, timezone

from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineJob, PipelineServiceClient

from pipelines.vertex.config import VertexRun
from pipelines.vertex.pipeline import pipeline_name
from pipelines.vertex.specification import compile_document

DEADLINE_SECONDS = 60.0


def make_request(run: VertexRun, moment: datetime) -> CreatePipelineJobRequest:
    """Makes the request for one run of the pipeline.

    Args:
      run: the config.
      moment: names the run, so that two of them do not meet.
    """
    vertex, name = run.vertex, pipeline_name(run)
    job = PipelineJob(
        display_name=name,
        pipeline_spec=compile_document(run),
        runtime_config=PipelineJob.RuntimeConfig(
            gcs_output_directory=vertex.staging, parameter_values={"config": run.document}
        ),
        service_account=vertex.service_account or "",
        labels={"tandem": "run"},
    )
    return CreatePipelineJobRequest(
        parent=f"projects/{vertex.project}/locations/{vertex.region}",
        pipeline_job=job,
        pipeline_job_id=f"{name}-{moment.astimezone(timezone.utc):%Y%m%d%H%M%S}",
    )


def shown(request: CreatePipelineJobRequest) -> str:
    """The request as JSON, as Vertex AI's REST interface takes it."""
    return CreatePipelineJobRequest.to_json(request, use_integers_for_enums=False)


def connect(region: str) -> PipelineServiceClient:
    """A client with the credentials that this machine has.

    Raises:
      google.auth.exceptions.DefaultCredentialsError: it has none.
    """
    return PipelineServiceClient(client_options={"api_endpoint": f"{region}-aiplatform.googleapis.com"})


def send(client: PipelineServiceClient, request: CreatePipelineJobRequest) -> str:
    """Starts the run.

    Returns:
      the run's full name.

    Raises:
      google.api_core.exceptions.GoogleAPICallError: Vertex AI refuses it or cannot be reached.
    """
    name: str = client.create_pipeline_job(request, timeout=DEADLINE_SECONDS).name
    return name
