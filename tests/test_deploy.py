"""What is deployed: containers, Prometheus' rules, Grafana's dashboard. All that can be wrong before anything runs."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ports import free_port
from prometheus_client import REGISTRY
from pydantic import SecretStr

import callcenter.metrics  # noqa: F401 (fills the registry)
from callcenter.cli import app as cli
from callcenter.settings import Settings
from dialplan import names

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
RULES = [rule for group in yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((DEPLOY / "grafana/dashboards/hotline.json").read_text())
VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?([^}]*)\}")
OURS = {"asterisk", "callcenter"}


def promtool(*words: str | Path) -> str:
    program = shutil.which("promtool") or shutil.which("promtool", path=Path(sys.executable).parent)
    assert program, "promtool is missing: install the Debian package prometheus"
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    promtool("check", "config", "--syntax-only", DEPLOY / "prometheus.yml")
    assert f"{len(RULES)} rules found" in promtool("check", "rules", DEPLOY / "alerts.yml")


def test_each_alert_fires_on_its_day_and_on_no_other() -> None:
    promtool("test", "rules", DEPLOY / "alerts.test.yml")
    fired = re.findall(r'alertname="(\w+)"', (DEPLOY / "alerts.test.yml").read_text())
    assert {rule["alert"] for rule in RULES} == set(fired)


def test_each_alert_speaks_both_languages() -> None:
    for rule in RULES:
        assert rule["annotations"].keys() == {"zh", "en"}, rule["alert"]
        assert re.search(r"[\u4e00-\u9fff]", rule["annotations"]["zh"]), rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}


def queries() -> Iterator[str]:
    for rule in RULES:
        yield rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_every_metric_that_is_asked_for_exists() -> None:
    series = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "info": ["_info"], "gauge": [""]}
    known = {family.name + end for family in REGISTRY.collect() for end in series.get(family.type, [""])}
    asked = {name for query in queries() for name in re.findall(r"\b(?:callcenter|process)_\w+", query)}
    assert len(asked) > 25
    assert asked - known == set()


def test_every_query_of_the_dashboard_is_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel_{panel['id']}_{target['refId']}", "expr": target["expr"].replace("$__rate_interval", "1m")}
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file)
    sources = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    used = {target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel["targets"]}
    assert used == {source["uid"] for source in sources}


def test_the_containers_run_the_commands_of_the_bare_machine() -> None:
    commands = {command.name or command.callback.__name__ for command in cli.registered_commands if command.callback}
    assert {COMPOSE["services"][name]["command"][0] for name in OURS} == {"asterisk", "serve"} <= commands


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_containers_settings_are_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"CALLCENTER_TRUNK_MATCH": "192.0.2.0/24,198.51.100.7", "CALLCENTER_PUBLIC_ADDRESS": "192.0.2.1"}
    environment = COMPOSE["services"][name]["environment"]
    assert environment.keys() <= {f"CALLCENTER_{field.upper()}" for field in Settings.model_fields}
    for variable, value in environment.items():
        monkeypatch.setenv(variable, VARIABLE.sub(lambda found: told.get(found[1], found[3]), str(value)))
    settings = Settings()
    assert settings.host == "0.0.0.0"
    assert name != "asterisk" or settings.ami_match == ("172.30.45.0/24",)


def test_no_secret_is_written_down_and_a_missing_one_is_an_error() -> None:
    secret = {f"CALLCENTER_{n.upper()}" for n, f in Settings.model_fields.items() if f.annotation is SecretStr}
    secret -= {
        "CALLCENTER_ALARM_SECRET",
        "CALLCENTER_NOTICES_SECRET",
        "CALLCENTER_TEXTS_SECRET",
    }  # for those who have webhooks; the settings refuse these without it
    for service in COMPOSE["services"].values():
        for variable, value in service.get("environment", {}).items():
            if variable in secret or re.search(
                "PASSWORD|(?<!ALARM_)(?<!NOTICES_)(?<!TEXTS_)SECRET|_KEY|DATABASE_URL", variable
            ):
                assert re.search(r"\$\{\w+:\?[^}]+\}", str(value)), variable
    asterisk, service = (COMPOSE["services"][name]["environment"].keys() for name in ("asterisk", "callcenter"))
    assert secret <= service
    theirs = {"CALLCENTER_RECORDING_KEYS", "CALLCENTER_IDENTITY_KEY"}
    assert secret - asterisk == theirs, "who records cannot open what is sealed"


def test_the_example_names_every_variable_and_gives_no_value() -> None:
    example = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    text = (ROOT / "docker-compose.yml").read_text()
    optional = {"CALLCENTER_TIME_ZONE", "CALLCENTER_WRAP_UP_SECONDS", "CALLCENTER_SUPERVISION_ANNOUNCE"}
    optional |= {"CALLCENTER_ALARM_WEBHOOKS", "CALLCENTER_ALARM_SECRET"}
    optional |= {"CALLCENTER_NOTICES_WEBHOOK", "CALLCENTER_NOTICES_SECRET", "CALLCENTER_TEXTS_SECRET"}
    assert {found[1] for found in VARIABLE.finditer(text)} - optional == example.keys()
    assert set(example.values()) == {""}
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_networks_are_closed() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name, service in COMPOSE["services"].items():
        ports = service.get("ports", [])
        assert "outside" in service["networks"] or not ports
        for port in ports:
            voice = name == "asterisk" and re.fullmatch(r"(5060:5060|10000-11999:10000-11999)/(udp|tcp)", port)
            assert voice or port.startswith("127.0.0.1:"), port
            assert "5038" not in port and "5432" not in port
        assert service["cap_drop"] == ["ALL"]


def test_images_are_pinned_and_nothing_runs_as_root() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    stages = dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", dockerfile, re.MULTILINE | re.DOTALL))
    for name, service in COMPOSE["services"].items():
        if name in OURS:
            assert re.findall(r"^USER (\w+)", stages[service["build"]["target"]], re.MULTILINE) == ["callcenter"]
        else:
            assert service["user"] not in {"root", "0"}
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", service["image"]), service["image"]
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert all(base in stages or re.search(r":\d+\.\d+\.\d+-", base) for base in bases)


def test_the_images_are_made_of_what_is_there() -> None:
    context = set((DEPLOY / "Dockerfile.dockerignore").read_text().splitlines())
    for line in re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert {f"!{source.strip('/')}", f"!{source.split('/')[0]}"} & context, source
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source


def log_in(port: int, source: str) -> bytes:
    """What the manager interface answers to a right login from this address."""
    until = time.monotonic() + 30
    while True:
        try:
            manager = socket.create_connection(("127.0.0.1", port), 5, source_address=(source, 0))
            break
        except OSError:
            assert time.monotonic() < until, "Asterisk does not listen"
            time.sleep(0.2)
    with manager:
        login = f"Action: Login\r\nUsername: {names.EVENTS_USER}\r\nSecret: told\r\nEvents: off\r\n\r\n"
        manager.sendall(login.encode())
        said = b""
        while b"\r\n\r\n" not in said and (more := manager.recv(1000)):
            said += more
        return said


def test_the_manager_interface_takes_logins_from_the_services_network_alone(tmp_path: Path) -> None:
    port = free_port()
    given = {
        "CALLCENTER_HOME": str(tmp_path / "home"),
        "CALLCENTER_AMI_PORT": str(port),
        "CALLCENTER_AMI_EVENTS_SECRET": "told",
        "CALLCENTER_AMI_MATCH": "127.3.0.0/16",
        "CALLCENTER_PUBLIC_ADDRESS": "192.0.2.1",
    }
    command = [sys.executable, "-m", "callcenter.cli", "asterisk"]
    running = subprocess.Popen(["env", *(f"{k}={v}" for k, v in given.items()), *command], stdout=subprocess.DEVNULL)
    try:
        assert b"Response: Success" in log_in(port, "127.3.0.9")
        assert b"Response: Error" in log_in(port, "127.4.0.9")
        transports = (tmp_path / "home/asterisk/etc/transports.conf").read_text()
        assert transports.count("external_media_address = 192.0.2.1") == 2
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0
