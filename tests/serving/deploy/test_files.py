"""The deployment files, as far as they can be checked without Docker and a cluster."""

import importlib.util
import json
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from tensorflow_serving.config import model_server_config_pb2

from serving import server
from serving.batching import parameters
from serving.settings import config_files, config_protos, flags, model_configs

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "serving" / "deploy"
KUBERNETES_VERSIONS = ("1.30", "1.37")
GRPC, REST = 8500, 8501

DOCKERFILE = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text(encoding="utf-8"))["services"]
MANIFESTS = {
    path.stem: list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    for path in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
}
SERVERS = ("tandem", "tensorflow-serving")


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def of_kind(app: str, kind: str) -> dict:
    [found] = [each for each in MANIFESTS[app] if each["kind"] == kind]
    return found


def container(app: str) -> dict:
    [found] = of_kind(app, "Deployment")["spec"]["template"]["spec"]["containers"]
    return found


COMMAND_LINES = {
    "Dockerfile": json.loads(instructions("CMD")[-1]),
    "compose: tensorflow-serving": COMPOSE["tensorflow-serving"]["command"],
    **{f"kubernetes: {app}": container(app)["args"] for app in SERVERS},
}


@pytest.mark.parametrize("where", COMMAND_LINES)
def test_flags_are_known_and_name_files_that_are_there(where):
    options = flags.parse(COMMAND_LINES[where])
    assert (options.port, options.rest_api_port) == (GRPC, REST)
    for path in (
        options.model_config_file,
        options.monitoring_config_file,
        options.batching_parameters_file,
    ):
        assert not path or (DEPLOY / Path(path).relative_to("/etc/tandem")).is_file()


def test_config_files_are_those_of_their_protos():
    read = config_files.read(str(DEPLOY / "models.config"), model_server_config_pb2.ModelServerConfig())
    [model] = model_configs.from_proto(read)
    assert (model.name, model.base_path) == ("tandem", "/models/tandem")
    batching = config_files.read(str(DEPLOY / "batching.config"), config_protos.BatchingParameters())
    assert parameters.from_proto(batching).pad_variable_length_inputs
    monitoring = config_files.read(str(DEPLOY / "monitoring.config"), config_protos.MonitoringConfig())
    assert monitoring.prometheus_config.enable


def test_stock_tensorflow_serving_does_not_batch():
    """It would fill histories up with their first item."""
    for where, line in COMMAND_LINES.items():
        assert flags.parse(line).enable_batching == ("tensorflow-serving" not in where)


def test_everything_copied_into_the_image_is_there():
    for copy in instructions("COPY"):
        *sources, _ = [word for word in copy.split() if not word.startswith("--")]
        if "--from" not in copy:
            assert all((ROOT / source).exists() for source in sources), copy


def test_what_is_copied_is_not_ignored():
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    for copy in instructions("COPY"):
        *sources, _ = [word for word in copy.split() if not word.startswith("--")]
        if "--from" not in copy:
            assert {source.split("/")[0] for source in sources} <= kept


def test_the_image_runs_as_somebody_without_rights():
    [user] = instructions("USER")
    assert user == "10001"
    assert f"useradd --uid {user}" in DOCKERFILE
    for app in SERVERS:
        context = of_kind(app, "Deployment")["spec"]["template"]["spec"]["securityContext"]
        assert context == {
            "runAsNonRoot": True,
            "runAsUser": int(user),
            "seccompProfile": {"type": "RuntimeDefault"},
        }


def test_commands_of_the_image_exist():
    modules = re.findall(r'"-m", "([\w.]+)"', DOCKERFILE)
    assert modules == ["serving.deploy.health"]
    assert all(importlib.util.find_spec(module) for module in modules)
    assert instructions("ENTRYPOINT") == ['["tandem", "serve"]']
    assert '"tandem = pipelines.cli:main"' in (ROOT / "setup.py").read_text(encoding="utf-8")
    assert instructions("EXPOSE") == [f"{GRPC} {REST}"]


def test_compose_publishes_the_ports_and_mounts_the_models():
    for service in COMPOSE.values():
        assert [int(port.split(":")[1]) for port in service["ports"]] == [GRPC, REST]
        assert "/serving:/models/tandem:ro" in service["volumes"][0]
        for volume in service["volumes"][1:]:
            assert (DEPLOY / volume.split(":")[0]).is_file()
    build = COMPOSE["tandem"]["build"]
    assert (DEPLOY / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()
    assert float(COMPOSE["tandem"]["stop_grace_period"].removesuffix("s")) > server._DRAIN_SECONDS


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests_are_valid_in_kubernetes_own_schemas(name, version):
    for manifest in MANIFESTS[name]:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_refuse_what_is_wrong():
    manifest = of_kind("tandem", "Deployment")
    wrong = json.loads(json.dumps(manifest))
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES_VERSIONS[0], strict=True)


@pytest.mark.parametrize("app", SERVERS)
def test_config_maps_hold_the_files(app):
    held = of_kind(app, "ConfigMap")["data"]
    assert held == {name: (DEPLOY / name).read_text(encoding="utf-8") for name in held}
    files = re.findall(r"=/etc/tandem/(\S+)", " ".join(container(app)["args"]))
    assert set(files) == set(held)


@pytest.mark.parametrize("app", SERVERS)
def test_probes_ask_the_ports_that_are_served(app):
    ports = {port["name"]: port["containerPort"] for port in container(app)["ports"]}
    assert ports == {"grpc": GRPC, "http": REST}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if app == "tandem":
            assert container(app)[probe]["grpc"] == {"port": ports["grpc"]}
        else:
            assert container(app)[probe]["httpGet"] == {"path": "/v1/models/tandem", "port": ports["http"]}


@pytest.mark.parametrize("app", SERVERS)
def test_metrics_are_where_the_annotations_say(app):
    annotations = of_kind(app, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    monitoring = config_files.read(str(DEPLOY / "monitoring.config"), config_protos.MonitoringConfig())
    assert annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(REST),
        "prometheus.io/path": monitoring.prometheus_config.path,
    }


def test_the_server_may_drain_before_it_is_killed():
    spec = of_kind("tandem", "Deployment")["spec"]["template"]["spec"]
    [sleep, seconds] = container("tandem")["lifecycle"]["preStop"]["exec"]["command"]
    assert sleep == "sleep"
    assert int(seconds) + server._DRAIN_SECONDS < spec["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("app", SERVERS)
def test_everything_points_at_the_same_pods(app):
    deployment = of_kind(app, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert deployment["selector"]["matchLabels"] == labels
    assert of_kind(app, "Service")["spec"]["selector"] == labels
    assert of_kind(app, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    target = of_kind(app, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", app)
    names = {port["name"] for port in container(app)["ports"]}
    assert {port["targetPort"] for port in of_kind(app, "Service")["spec"]["ports"]} == names
    claims = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in deployment["template"]["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert claims == [of_kind("models", "PersistentVolumeClaim")["metadata"]["name"]]
