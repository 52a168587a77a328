"""weir proxy and names: looked up at start and when their TTL ends, several addresses, nameservers that
fail; against a nameserver of the test's own, by --dns."""

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess

import pytest

from answering import Answering
from nameserver import AAAA, Nameserver
from pki import Authority
from verbs import PATIENCE, WEIR, Verb, eventually, gauges_at_zero


class Api(Answering):
    """Says its own name and the Host it was asked by."""

    def __init__(self, name, at, port=0):
        self.name = name
        super().__init__(at, port)

    def answer(self, request, body):
        return 200, {}, json.dumps({"name": self.name, "host": request.headers["Host"]}).encode()


@pytest.fixture
def apis():
    """The same port on two addresses of loopback."""
    while True:
        with Api("one", "127.0.0.1") as one:
            try:
                two = Api("two", "127.0.0.2", one.port)
            except OSError:
                continue  # somebody has it there
            with two:
                yield one, two
            return


@pytest.fixture
def ns():
    with Nameserver() as server:
        yield server


def get(proxy):
    """(status, reason or body)"""
    c = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=PATIENCE)
    c.request("GET", "/")
    r = c.getresponse()
    body = r.read().decode()
    c.close()
    return r.status, json.loads(body) if r.status == 200 else r.getheader("Weir-Reason")


def names(proxy):
    return proxy.status()["upstreams"][0]["names"]


def start(tmp_path, ns, url, *options):
    return Verb("proxy", tmp_path, "--upstream", url, "--dns", ns.at, *options)


def refused(*options):
    done = subprocess.run([WEIR, "proxy", "--listen", "127.0.0.1:0", *options],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
    return done.returncode, done.stderr


def test_a_name_is_found_and_is_the_host(tmp_path, ns, apis):
    ns.names["api.test"] = 60, ["127.0.0.1"]
    with start(tmp_path, ns, f"http://api.test:{apis[0].port}") as p:
        assert f"upstream 127.0.0.1:{apis[0].port}" in p.line
        assert get(p) == (200, {"name": "one", "host": f"api.test:{apis[0].port}"})
        name, = names(p)
        assert name["name"] == "api.test" and name["state"] == "fresh" and name["error"] is None
        assert name["addresses"] == [f"127.0.0.1:{apis[0].port}"]
        assert (name["lookups"], name["failed"]) == (1, 0)
        assert 0 <= name["age_ms"] < 60000 and 0 < name["next_ms"] <= 60000
        assert ns.count("api.test") == 2  # A and AAAA
        eventually(lambda: gauges_at_zero(p))


def test_an_alias_and_an_answer_that_needs_tcp(tmp_path, ns, apis):
    ns.names.update({"api.test": (50, "real.test"), "real.test": (60, ["127.0.0.2"])})
    ns.mood = "large"
    with start(tmp_path, ns, f"http://api.test:{apis[0].port}") as p:
        assert get(p)[1]["name"] == "two"
        assert names(p)[0]["next_ms"] <= 50000
        assert {by_tcp for _, _, by_tcp in ns.asked} == {False, True}


def test_the_address_changes_when_the_ttl_ends(tmp_path, ns, apis):
    ns.names["api.test"] = 1, ["127.0.0.1"]
    with start(tmp_path, ns, f"http://api.test:{apis[0].port}", "--limit", "2") as p:
        assert get(p)[1]["name"] == "one"
        assert p.status()["slots"]["idle"] == 1
        ns.names["api.test"] = 1, ["127.0.0.2"]
        eventually(lambda: names(p)[0]["addresses"] == [f"127.0.0.2:{apis[0].port}"])
        eventually(lambda: p.status()["slots"]["idle"] == 0)  # nothing pooled to the old one
        assert get(p)[1]["name"] == "two"
        assert p.status()["limit"] == 2 and p.status()["slots"]["peak"] <= 2
        eventually(lambda: gauges_at_zero(p))


@pytest.mark.parametrize("mood", ["silent", "broken", "gone"])
def test_what_was_found_stays_in_use(tmp_path, ns, apis, mood):
    ns.names["api.test"] = 1, ["127.0.0.1"]
    with start(tmp_path, ns, f"http://api.test:{apis[0].port}") as p:
        assert get(p)[0] == 200
        if mood == "gone":
            ns.names.clear()
        else:
            ns.mood = mood
        eventually(lambda: names(p)[0]["state"] == "stale")
        assert names(p)[0]["error"] and names(p)[0]["failed"] >= 1
        assert get(p) == (200, {"name": "one", "host": f"api.test:{apis[0].port}"})
        ns.mood, ns.names = "well", {"api.test": (60, ["127.0.0.2"])}
        eventually(lambda: names(p)[0]["state"] == "fresh")
        assert get(p)[1]["name"] == "two"


def test_a_name_that_does_not_exist_is_exit_1(ns):
    code, said = refused("--upstream", "http://nobody.test", "--dns", ns.at)
    assert code == 1
    assert "http://nobody.test" in said and "no such name" in said
    ns.names["empty.test"] = 60, []
    code, said = refused("--upstream", "http://empty.test", "--dns", ns.at)
    assert code == 1 and "no address" in said


def test_a_name_nobody_can_tell_about_may_come_later(tmp_path, ns, apis):
    ns.mood = "broken"
    argv = [WEIR, "proxy", "--listen", "127.0.0.1:0", "--admin", f"unix:{tmp_path}/a.sock",
            "--upstream", f"http://api.test:{apis[0].port}", "--dns", ns.at]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        warning, line = process.stderr.readline(), process.stderr.readline()
        assert "cannot resolve 'api.test'" in warning and "502" in warning
        assert "api.test (not found yet)" in line

        class Late:
            port = int(line.split("127.0.0.1:")[1].split(",")[0])

        assert get(Late) == (502, "resolve")
        ns.mood, ns.names = "well", {"api.test": (60, ["127.0.0.1"])}
        eventually(lambda: get(Late)[0] == 200)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        process.stderr.close()


def test_the_second_address_when_the_first_refuses(tmp_path, ns):
    with Api("one", "127.0.0.1") as api:
        ns.names["api.test"] = 60, ["::1", "127.0.0.3", "127.0.0.1"]
        with start(tmp_path, ns, f"http://api.test:{api.port}", "--limit", "1",
                   "--connections", "close") as p:
            for _ in range(6):
                assert get(p)[0] == 200
            s = p.status()
            assert s["slots"]["peak"] == 1
            assert s["answers"] == {"200": 6} and s["reasons"] == {}
            assert s["connects"] == 6
            assert s["connects_failed"] == 2  # and then they are left alone for a while
            assert any(kind == AAAA for _, kind, _ in ns.asked)


def test_a_host_whose_ipv6_goes_nowhere(tmp_path, ns, apis):
    """2001:db8:: is for documentation: no route, or packets that are lost; both are survived."""
    ns.names["api.test"] = 60, ["2001:db8::1", "127.0.0.1"]
    with start(tmp_path, ns, f"http://api.test:{apis[0].port}") as p:
        for _ in range(3):
            assert get(p)[1]["name"] == "one"
        eventually(lambda: gauges_at_zero(p))


@contextlib.contextmanager
def mute(at, port):
    """Its backlog is full: SYNs to it are dropped."""
    with socket.socket() as s, contextlib.ExitStack() as stack:
        s.bind((at, port))
        s.listen(0)
        for _ in range(8):
            c = stack.enter_context(socket.socket())
            c.setblocking(False)
            c.connect_ex((at, port))
        yield


def test_a_first_address_that_does_not_answer(tmp_path, ns):
    with Api("one", "127.0.0.1") as api, mute("127.0.0.3", api.port):
        ns.names["api.test"] = 60, ["127.0.0.3", "127.0.0.1"]
        with start(tmp_path, ns, f"http://api.test:{api.port}", "--limit", "2") as p:
            assert get(p)[0] == 200
            s = p.status()
            assert s["slots"]["peak"] == 2 and s["connects"] == 1 and s["connects_failed"] == 0
            eventually(lambda: gauges_at_zero(p))
        # without room for two at once the first has its time, then the second
        with start(tmp_path, ns, f"http://api.test:{api.port}", "--limit", "1",
                   "--connect-timeout", "400ms") as p:
            assert get(p)[0] == 200
            s = p.status()
            assert s["slots"]["peak"] == 1 and s["connects"] == 1 and s["connects_failed"] == 1


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")
def test_https_by_a_name_whose_first_address_refuses(tmp_path, ns):
    ca = Authority(tmp_path)
    good = ca.issue("api.test")
    ns.names.update({"api.test": (60, ["::1", "127.0.0.1"]), "other.test": (60, ["127.0.0.1"])})
    with Verb("origin", tmp_path, *good.options()) as o:
        with start(tmp_path, ns, f"https://api.test:{o.port}", "--upstream-ca", ca.root) as p:
            c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=PATIENCE)
            c.request("GET", "/")
            assert c.getresponse().read() == b"ok\n"
            c.close()
            assert p.status()["upstreams"][0]["tls"]["handshakes"] == 1
            assert p.status()["connects_failed"] == 1
        # another name of the same address: its certificate is not that one's
        with start(tmp_path, ns, f"https://other.test:{o.port}", "--upstream-ca", ca.root) as p:
            assert get(p)[0] == 502
            assert p.status()["upstreams"][0]["tls"]["failed"] == 1


def test_two_names_are_two_hosts_under_one_limit(tmp_path, ns, apis):
    ns.names.update({"a.test": (60, ["127.0.0.1"]), "b.test": (60, ["127.0.0.2"])})
    port = apis[0].port
    with start(tmp_path, ns, f"http://a.test:{port}", "--upstream", f"http://b.test:{port}",
               "--connections", "close", "--limit", "2") as p:
        seen = {(b["name"], b["host"]) for b in (get(p)[1] for _ in range(8))}
        assert seen == {("one", f"a.test:{port}"), ("two", f"b.test:{port}")}
        assert [n["name"] for n in names(p)] == ["a.test", "b.test"]


def test_reload_looks_up_before_it_takes_over(tmp_path, ns, apis):
    ns.names.update({"a.test": (60, ["127.0.0.1"]), "b.test": (60, ["127.0.0.2"])})
    file, port = tmp_path / "weir.yaml", apis[0].port
    text = f"dns: '{ns.at}'\nupstream: http://%s:{port}\n"
    file.write_text(text % "a.test")
    with Verb("proxy", tmp_path, "--config", str(file)) as p:
        assert get(p)[1]["name"] == "one"
        asked = ns.count("a.test")

        def reload(name):
            file.write_text(text % name)
            before = p.status()["config"]
            p.process.send_signal(signal.SIGHUP)
            now = lambda: p.status()["config"]  # noqa: E731
            eventually(lambda: (now()["reloads"] > before["reloads"] or
                                now()["reloads_failed"] > before["reloads_failed"]))
            return now()["reloads"] > before["reloads"]

        assert not reload("nobody.test")
        assert get(p)[1]["name"] == "one"
        assert reload("a.test")  # nothing new: nobody is asked, connections stay
        assert ns.count("a.test") == asked and p.status()["connects"] == 1
        assert reload("b.test")
        assert get(p)[1] == {"name": "two", "host": f"b.test:{port}"}
        # another nameserver
        with Nameserver({"b.test": (60, ["127.0.0.1"])}) as other:
            text = f"dns: '{other.at}'\nupstream: http://%s:{port}\n"
            assert reload("B.TEST.")  # with the dot it is another name, and is looked up there
            assert get(p)[1]["name"] == "one" and other.count("b.test") == 2
        # overtaken while the nameserver is silent
        text = f"dns: '{ns.at}'\nupstream: http://%s:{port}\n"
        ns.mood = "silent"
        file.write_text(text % "c.test")
        before = p.status()["config"]["reloads"]
        p.process.send_signal(signal.SIGHUP)
        eventually(lambda: ns.count("c.test") > 0)
        ns.mood = "well"
        assert reload("a.test")
        assert p.status()["config"]["reloads"] == before + 1
        assert get(p)[1]["name"] == "one"


def test_stopped_while_a_reload_looks_up(tmp_path, ns, apis):
    ns.names["a.test"] = 60, ["127.0.0.1"]
    file = tmp_path / "weir.yaml"
    text = f"dns: '{ns.at}'\nupstream: http://%s:{apis[0].port}\n"
    file.write_text(text % "a.test")
    with Verb("proxy", tmp_path, "--config", str(file)) as p:
        ns.mood = "silent"
        file.write_text(text % "c.test")
        p.process.send_signal(signal.SIGHUP)
        eventually(lambda: ns.count("c.test") > 0)


@pytest.mark.parametrize("servers", ["dns.example.com", "10.0.0.53:0", ",", "10.0.0.53:99999"])
def test_wrong_nameservers_are_told(servers):
    code, said = refused("--upstream", "http://127.0.0.1:1", "--dns", servers)
    assert code == 2 and "--dns" in said
