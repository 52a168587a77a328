"""compose.yaml and the Dockerfile. No container engine is needed: the files are checked against the
part of compose's schema that they use, each service's command against the one that `weir lab` runs
in its place, and the commands are run as they stand but for their addresses."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml
from verbs import PATIENCE, ROOT, WEIR, Verb

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SCHEMA = json.loads((ROOT / "tests" / "compose.schema.json").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES = COMPOSE["services"]
MIDDLEWARES = ("naive", "node", "weir")
ADMIN = "unix:/run/weir/admin.sock"
# what the lab calls a host, and what it is called here
PLACES = [("unix:./server.sock", ADMIN), ("unix:./middleware.sock", ADMIN),
          ("./middleware.sock", ADMIN[len("unix:"):]),
          ("http://10.77.1.1:9090", "http://middleware:9090"), ("10.77.1.1", "0.0.0.0"),
          ("10.77.2.2", "server-1"), ("10.77.2.3", "server-2"),
          ("lab/middlewares/node.js", "/usr/share/weir/node.js")]


# ---- compose.yaml --------------------------------------------------------------------------

def test_the_file_is_of_the_schema():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(COMPOSE, SCHEMA)


@pytest.mark.parametrize("path, value", [
    (("services", "weir", "comand"), ["proxy"]),
    (("services", "weir", "command"), "proxy --limit 1000"),
    (("services", "weir", "read_only"), "yes"),
    (("services", "client", "depends_on", "weir", "condition"), "healthy"),
    (("services", "server", "healthcheck", "interval"), 2),
    (("networks", "callers", "aliases"), ["middleware"]),
])
def test_the_schema_refuses(path, value):
    wrong = json.loads(json.dumps(COMPOSE))
    at = wrong
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, SCHEMA)


def lab(*words):
    done = subprocess.run([WEIR, "lab", "show", "incident", *words], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def lab_command(variant, part):
    """What the lab runs there, as (environment, words), by the names of compose.yaml."""
    shown = lab("--act", "overload", "--only", variant)
    line = re.search(rf"^ +{part} +(.*)$", shown, re.M).group(1)
    for theirs, ours in PLACES:
        line = line.replace(theirs, ours)
    words = shlex.split(line)
    count = next(i for i, word in enumerate(words) if not re.match(r"[A-Z_]+=", word))
    return dict(word.split("=", 1) for word in words[:count]), words[count:]


def callers_of_the_scenario():
    callers = yaml.safe_load(lab("--yaml"))["acts"]["overload"]["callers"]
    return ["--rate", callers["rate"], "--for", callers["for"]]


@pytest.mark.parametrize("variant", ["naive", "weir"])
def test_a_middlewares_command_is_the_labs(variant):
    _, words = lab_command(variant, "middleware")
    assert ["weir", *SERVICES[variant]["command"]] == words


def test_nodes_command_is_the_labs():
    env, words = lab_command("node", "middleware")
    assert ["node", *SERVICES["node"]["command"]] == words
    ours = SERVICES["node"]["environment"]
    assert ours == {name: env[name] for name in ours}
    # what is left out is the same under names that this program does not read
    read = set(re.findall(r"env\.(\w+)", (ROOT / "lab" / "middlewares" / "node.js").read_text()))
    assert read & set(env) - {"PORT", "WEIR_UPSTREAM"} == set(ours)


@pytest.mark.parametrize("variant", MIDDLEWARES)
def test_server_and_client_are_the_labs(variant):
    _, server = lab_command(variant, "server")
    assert ["weir", *SERVICES["server"]["command"]] == server
    # the lab draws the arrivals beforehand, and reads the report by itself
    _, client = lab_command(variant, "client")
    at = client.index("--schedule")
    client[at:at + 2] = callers_of_the_scenario()
    client.remove("--json")
    assert ["weir", *SERVICES["client"]["command"]] == client


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_no_rights(name):
    service = SERVICES[name]
    uid, gid = service["user"].split(":")
    assert int(uid) > 0 and int(gid) > 0
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert f"USER {service['user']}" in DOCKERFILE
    # the socket is the only thing written
    assert [t.split(":")[0] for t in service["tmpfs"]] == ["/run/weir"]
    assert service["build"]["target"] in [s["name"] for s in stages()]


def test_who_waits_for_whom():
    for name in ("server", *MIDDLEWARES):
        assert ADMIN in SERVICES[name]["healthcheck"]["test"][1]
    for name in MIDDLEWARES:
        assert SERVICES[name]["depends_on"] == {"server": {"condition": "service_healthy"}}
        assert SERVICES[name]["profiles"] == [name]
    assert set(SERVICES["client"]["depends_on"]) == set(MIDDLEWARES)
    # whose profile is not asked for is not there to wait for
    assert all(not d["required"] for d in SERVICES["client"]["depends_on"].values())
    assert SERVICES["client"]["profiles"] == SERVICES["server"]["profiles"] == list(MIDDLEWARES)


def found_on(network, host):
    """The services that a container in the network finds under that name."""
    found = []
    for name, service in SERVICES.items():
        of = service["networks"]
        if network in of:
            aliases = (of[network] or {}).get("aliases", []) if isinstance(of, dict) else []
            found += [name] if host in (name, *aliases) else []
    return found


def ports_of(name):
    """Where a service listens."""
    service = SERVICES[name]
    if "environment" in service:
        return {service["environment"]["WEIR_LISTEN_PORT"]}
    at = service["command"].index("--listen")
    return {service["command"][at + 1].rsplit(":", 1)[1]}


def test_names_and_ports_agree():
    assert {n for s in SERVICES.values() for n in s["networks"]} == set(COMPOSE["networks"])
    for name in ("client", *MIDDLEWARES):
        text = " ".join([*SERVICES[name]["command"],
                         *SERVICES[name].get("environment", {}).values()])
        called = re.findall(r"http://([\w.-]+):(\d+)", text)
        assert called
        for host, port in called:
            targets = [t for n in SERVICES[name]["networks"] for t in found_on(n, host)]
            assert targets == (list(MIDDLEWARES) if name == "client" else ["server"])
            assert all(port in ports_of(target) for target in targets)


# ---- the commands, run ---------------------------------------------------------------------

def after(words, option):
    return words[words.index(option) + 1]


def start(tmp_path, name, upstreams=()):
    """A service's command, but for its addresses."""
    verb, *rest = SERVICES[name]["command"]
    for option in ("--listen", "--admin", "--upstream", "--upstream"):
        if option in rest:
            at = rest.index(option)
            del rest[at:at + 2]
    assert "--upstream" not in rest
    for url in upstreams:
        rest += ["--upstream", url]
    return Verb(verb, tmp_path, *rest)


def healthy(tmp_path, name, admin):
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    if not (folder / "weir").exists():
        (folder / "weir").symlink_to(Path(WEIR).resolve())
    kind, command = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command.replace(ADMIN, f"unix:{admin}")], env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
                          check=False)
    return done.returncode == 0


@pytest.mark.parametrize("name", ["naive", "weir"])
def test_the_commands_run(tmp_path, name):
    with start(tmp_path, "server") as server:
        assert healthy(tmp_path, "server", server.admin)
        with start(tmp_path, name, [server.url]) as middle:
            assert healthy(tmp_path, name, middle.admin)
            words = list(SERVICES["client"]["command"])
            words[words.index("--for") + 1] = "50ms"
            words[-1] = middle.url + "/"
            done = subprocess.run([WEIR, *words], stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=PATIENCE + 15, check=False)
            assert done.returncode == 0, done.stderr
            assert re.search(r"^  good +8 ", done.stdout, re.M), done.stdout
        assert not healthy(tmp_path, name, middle.admin)


# ---- the Dockerfile ------------------------------------------------------------------------

def instructions():
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.M).replace("\\\n", " ")
    for line in filter(str.strip, text.split("\n")):
        word, _, rest = line.partition(" ")
        yield word, " ".join(rest.split())


def stages():
    found = []
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append({"base": base, "name": name, "steps": []})
        elif found:
            found[-1]["steps"].append((word, rest))
    return found


def packages_of(stage):
    for word, rest in stage["steps"]:
        if word == "RUN" and "apt-get install" in rest:
            return set(rest.split("--no-install-recommends", 1)[1].split("&&")[0].split())
    return set()


def test_one_pinned_debian_and_nothing_else():
    release = dict(i for i in instructions() if i[0] == "ARG")["ARG"]
    assert re.fullmatch(r"DEBIAN=12\.\d+-slim", release)
    names = [s["name"] for s in stages()]
    assert len(names) >= 3 and names[0] == "build"
    for stage in stages():
        assert stage["base"] in ("debian:${DEBIAN}", *names)
        for word, rest in stage["steps"]:
            assert word != "ADD" and not re.search(r"https?://|curl|wget|pip |npm ", rest)
            assert word != "RUN" or re.match(r"apt-get update|\./dev (setup build|build)$", rest)
    # no stage that runs has the compiler
    assert not any(s["base"] == "build" for s in stages())


def test_no_stage_that_runs_is_roots():
    for stage in stages()[1:]:
        users = [rest for word, rest in stage["steps"] if word == "USER"]
        if users:
            assert users[-1] == "10001:10001"
        else:  # as the stage it stands on
            assert stage["base"] == "weir" and not stage["steps"]


@pytest.mark.skipif(not shutil.which("readelf") or not shutil.which("dpkg-query"),
                    reason="readelf or dpkg-query is not here")
def test_the_libraries_are_those_the_program_needs():
    read = subprocess.run(["readelf", "-d", WEIR], capture_output=True, text=True, check=True)
    needed = set(re.findall(r"NEEDED.*\[(.*)\]", read.stdout))
    owners = set()
    for library in needed:
        if re.match(r"lib(asan|ubsan|tsan|gcc_s)\.", library):
            continue
        owned = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True,
                               text=True, check=True).stdout
        owners.add(re.match(r"[\w.+-]+", owned).group())
    assert packages_of(stages()[1]) == {o for o in owners if not o.startswith("libc6")}


def test_what_is_copied_is_there():
    for stage in stages():
        for word, rest in stage["steps"]:
            if word == "COPY" and "--from" not in rest:
                assert (ROOT / rest.split()[0]).exists()
