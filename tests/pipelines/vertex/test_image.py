"""The image, as far as it can be checked without Docker."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "pipelines" / "vertex"
DOCKERFILE = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text(encoding="utf-8"))


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.+)$", DOCKERFILE, re.MULTILINE)


def test_everything_copied_is_there_and_not_ignored():
    lines = (FOLDER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    for copy in instructions("COPY"):
        *sources, _ = [word for word in copy.split() if not word.startswith("--")]
        if "--from" not in copy:
            assert all((ROOT / source).exists() for source in sources), copy
            assert {source.split("/")[0] for source in sources} <= kept


def test_stages_that_are_copied_from_are_there():
    stages = re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert stages == re.findall(r"--from=(\w+)", DOCKERFILE) == ["build", "beam"]


def test_versions_are_those_that_are_installed():
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    beam = re.search(r"^FROM apache/beam_python(\S+)_sdk:(\S+) AS beam$", DOCKERFILE, re.MULTILINE)
    assert f"\napache-beam=={beam[2]}\n" in constraints
    assert all(f"python:{beam[1]}-" in image for image in instructions("FROM") if image.startswith("python"))
    requirements = (ROOT / "setup.py").read_text(encoding="utf-8")
    tensorflow = re.search(r"'tensorflow\[and-cuda\](==\S+)'", DOCKERFILE)[1]
    assert f'"tensorflow{tensorflow}"' in requirements
    assert '"gcp": [' in requirements and "'.[gcp]'" in DOCKERFILE


def test_dataflow_can_start_its_workers():
    assert instructions("ENTRYPOINT") == ['["/opt/apache/beam/boot"]']
    assert "/opt/apache/beam /opt/apache/beam" in DOCKERFILE
    assert "/opt/tandem/bin:$PATH" in instructions("ENV")[0]
