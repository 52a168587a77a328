"""weir origin --fault: what becomes of answers in place of good ones, as a caller sees it on its
socket, and what the gauges say of it."""

import time

import pytest

from test_load import load_json
from test_origin import GET, Answer, Origin, call, read_to_end, run_to_end

HEAD = b"HEAD / HTTP/1.1\r\nHost: api\r\n\r\n"


def spoilt(fault, *options, request=GET, body="60B"):
    """All that a caller gets of one answer, until the connection ends; and the gauges."""
    with Origin("--fault", f"100%: {fault}", "--body", body, *options) as origin:
        with origin.connect() as s:
            s.sendall(request)
            got = read_to_end(s)
        gauges = origin.until_used(0)
    assert gauges["fault"] == f"100%: {fault}"
    assert (gauges["requests"], gauges["faults"], gauges["answered"]) == (1, 1, 0)
    return got


def test_reset_and_close_give_no_byte():
    assert spoilt("reset") == (b"", "RESET")
    assert spoilt("close") == (b"", "EOF")
    assert spoilt("reset", request=HEAD) == (b"", "RESET")


def test_cut_gives_half_of_the_body():
    got, end = spoilt("cut")
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"Content-Length: 60" in head and len(body) == 30 and end == "RESET"
    # there is no half of nothing
    assert spoilt("cut", request=HEAD) == (b"", "EOF")


def test_cut_waits_for_a_slow_reader():
    # far more than the buffers of both ends take together
    with Origin("--fault", "100%: cut", "--body", "24MiB", "--limit", "1") as origin:
        with origin.connect() as s:
            s.sendall(GET)
            gauges = origin.until("the fault", lambda g: g["faults"] == 1)
            assert gauges["slots"]["used"] == 1
            got, end = read_to_end(s)
        assert len(got.partition(b"\r\n\r\n")[2]) == 12 << 20 and end == "RESET"
        assert origin.until_used(0)["answered"] == 0


@pytest.mark.parametrize("hangup", ["at-once", "at-write", "never"])
def test_cut_ends_when_the_caller_leaves(hangup):
    with Origin("--fault", "100%: cut", "--body", "24MiB", "--hangup", hangup) as origin:
        with origin.connect() as s:
            s.sendall(GET)
            origin.until("the fault", lambda g: g["faults"] == 1)
        assert origin.until_used(0)["answered"] == 0


def test_a_stream_is_cut_where_it_is():
    for fault in ("reset", "close", "cut", "garbage"):
        got, end = spoilt(fault, "--hangup", "at-write", "--latency", "60ms")
        assert b"chunked" in got and not got.endswith(b"0\r\n\r\n") and end == "RESET", fault


@pytest.mark.parametrize("fault", ["reset", "close", "cut", "garbage"])
@pytest.mark.parametrize("request_bytes, body", [(GET, "0B"), (HEAD, "60B")])
def test_a_stream_without_a_body_is_cut_behind_its_head(fault, request_bytes, body):
    got, end = spoilt(fault, "--hangup", "at-write", "--latency", "60ms", request=request_bytes,
                      body=body)
    assert got.startswith(b"HTTP/1.1 200 OK\r\n") and got.endswith(b"\r\n\r\n")
    assert b"\r\n0\r\n" not in got and end == "RESET"


@pytest.mark.parametrize("request_bytes", [GET, HEAD])
def test_stall_ends_when_the_caller_leaves(request_bytes):
    with Origin("--fault", "100%: stall", "--body", "60B", "--limit", "1") as origin:
        with origin.connect() as s:
            s.sendall(request_bytes)
            if request_bytes == GET:
                answer = Answer(s, head_only=True)
                while len(answer.rest) < 30:
                    answer.rest += s.recv(100)
                assert len(answer.rest) == 30
            gauges = origin.until("the fault", lambda g: g["faults"] == 1)
            assert gauges["slots"]["running"] == 1 and gauges["answered"] == 0
            s.settimeout(0.3)
            with pytest.raises(TimeoutError):
                s.recv(1)
        gauges = origin.until_used(0)
        assert gauges["hangups"] == 1 and gauges["answered"] == 0


def test_trickle_gives_all_of_it_in_the_end():
    with Origin("--fault", "100%: trickle", "--body", "4B") as origin, origin.connect() as s:
        began = time.monotonic()
        assert call(s).body == b"ok\no"
        assert time.monotonic() - began >= 0.3  # four pieces, a tenth of a second apart
        assert origin.gauges()["answered"] == 1


def test_trickle_of_more_than_the_socket_takes():
    with Origin("--fault", "100%: trickle", "--body", "40MiB") as origin, origin.connect() as s:
        assert len(call(s).body) == 40 << 20
        assert origin.gauges()["faults"] == 1


def test_garbage_is_no_http():
    with Origin("--fault", "100%: garbage") as origin, origin.connect() as s:
        s.sendall(GET)
        got = s.recv(4096)
        assert got.startswith(b"HTTP/1.1 200 OK\r\n\x01\x02")
        doc = load_json("--rate", "20/s", "--for", "200ms", f"http://127.0.0.1:{origin.ports[0]}/")
        assert [e["kind"] for e in doc["errors"]] == ["bad-response"] and doc["failed"] == 4


def test_shares_hold_and_are_of_the_seed():
    def errors(seed):
        with Origin("--fault", "20%: reset, 30%: close", "--seed", seed) as origin:
            doc = load_json("--rate", "500/s", "--for", "1s", "--pool", "1", "--method", "POST",
                            f"http://127.0.0.1:{origin.ports[0]}/")
            assert origin.gauges()["faults"] == doc["failed"]
        return {e["kind"]: e["count"] for e in doc["errors"]}
    first = errors("5")
    # 500 draws: six deviations
    assert abs(first["reset"] - 100) < 54 and abs(first["eof"] - 150) < 62
    assert errors("5") == first != errors("6")


def test_set_and_phases():
    with Origin("--phase", "1ms: fault=100%:close,0%:cut") as origin:
        origin.until("the phase", lambda g: g["fault"] == "100%: close")
        status, body = origin.set(fault="50%: cut, 60%: stall")
        assert status == 400 and b"fault: the shares add up to 110%" in body
        assert origin.gauges()["fault"] == "100%: close"
        assert origin.set(fault="none")[0] == 200
        assert origin.gauges()["fault"] == "none"
        with origin.connect() as s:
            assert call(s).status == 200


@pytest.mark.parametrize("fault, said", [
    ("5%: fire", "--fault: unknown fault 'fire'"),
    ("5: reset", "no unit"),
    ("reset", "'reset' has no share: write them as 1%: reset, 2%: stall"),
])
def test_misuse(fault, said):
    status, out, err = run_to_end("--listen", "127.0.0.1:0", "--fault", fault)
    assert status == 2 and out == "" and said in err, err
