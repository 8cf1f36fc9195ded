"""The request, printed and sent over gRPC to a server on this machine."""

import json
from concurrent import futures
from datetime import datetime, timezone

import grpc
import pytest
from google.api_core.exceptions import PermissionDenied
from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineJob, PipelineServiceClient
from google.cloud.aiplatform_v1.services.pipeline_service.transports import PipelineServiceGrpcTransport

from pipelines.vertex.request import make_request, send
from tests.pipelines.vertex.conftest import config_values, write_config

MOMENT = datetime(2026, 11, 22, 20, 30, tzinfo=timezone.utc)
NAME = "projects/1/locations/europe-west4/pipelineJobs/2"


class PipelineService(grpc.GenericRpcHandler):
    """Takes pipeline runs, or refuses them."""

    def __init__(self, allowed: bool) -> None:
        self.allowed = allowed
        self.requests: list[CreatePipelineJobRequest] = []

    def service(self, handler_call_details):
        if not handler_call_details.method.endswith("PipelineService/CreatePipelineJob"):
            return None
        return grpc.unary_unary_rpc_method_handler(
            self.create, CreatePipelineJobRequest.deserialize, PipelineJob.serialize
        )

    def create(self, request: CreatePipelineJobRequest, context: grpc.ServicerContext) -> PipelineJob:
        if not self.allowed:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "aiplatform.pipelineJobs.create denied")
        self.requests.append(request)
        return PipelineJob(name=NAME)


@pytest.fixture
def connect():
    """Starts a service; gives a client of it."""
    servers = []

    def start(service: PipelineService) -> PipelineServiceClient:
        server = grpc.server(futures.ThreadPoolExecutor(1), handlers=(service,))
        port = server.add_insecure_port("localhost:0")
        server.start()
        servers.append(server)
        channel = grpc.insecure_channel(f"localhost:{port}")
        return PipelineServiceClient(transport=PipelineServiceGrpcTransport(channel=channel))

    yield start
    for server in servers:
        server.stop(None)


def test_the_request_arrives_whole(write_run, connect):
    run, service = write_run(), PipelineService(allowed=True)
    assert send(connect(service), make_request(run, MOMENT)) == NAME
    (request,) = service.requests
    assert request.parent == "projects/my-project/locations/europe-west4"
    assert request.pipeline_job_id == "tandem-my-shop-20261122203000"
    job = request.pipeline_job
    assert job.service_account == "tandem@my-project.iam.gserviceaccount.com"
    assert job.runtime_config.gcs_output_directory == "gs://my-bucket/tandem"
    assert job.runtime_config.parameter_values["config"] == run.document
    assert set(job.pipeline_spec) >= {"components", "deploymentSpec", "pipelineInfo", "root", "schemaVersion"}


def test_a_refusal_is_told(write_run, connect):
    with pytest.raises(PermissionDenied, match=r"pipelineJobs\.create denied"):
        send(connect(PipelineService(allowed=False)), make_request(write_run(), MOMENT))


def test_a_dry_run_prints_the_request_and_needs_no_credentials(tandem, tmp_path, monkeypatch):
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    output, _ = tandem("vertex", "submit", "--config", write_config(tmp_path, config_values()), "--dry-run")
    request = json.loads(output)
    assert request["parent"] == "projects/my-project/locations/europe-west4"
    assert request["pipelineJob"]["pipelineSpec"]["pipelineInfo"]["name"] == "tandem-my-shop"
    assert CreatePipelineJobRequest.from_json(output).pipeline_job.display_name == "tandem-my-shop"
