"""What the gate answers before a connection exists, and what it tells the owner of those whom it turns away."""

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from runtime import records, settings
from runtime.transport import Gate

SHAKING_HANDS = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}
OWN, BLOG = "http://127.0.0.1:5000", "https://blog.example"


@pytest.fixture
def gate(monkeypatch):
    """Makes a gate with these settings, for visitors who may come in."""

    def gate(origins=(), proxies=0):
        monkeypatch.setattr(settings, "ORIGINS", list(origins))
        monkeypatch.setattr(settings, "PROXIES", proxies)
        return Gate(let_in, "/socket.io/", list(origins), [], lambda environ: None)

    return gate


def let_in(environ, start_response):
    start_response("101 Switching Protocols", [])
    return []


def answer(gate, origin=None, path="/socket.io/?EIO=4&transport=websocket", method="GET", shaking=True, **forwarded):
    """The status of its answer to a handshake, or to another request where it is not `shaking` hands."""
    headers = {name.replace("_", "-"): value for name, value in forwarded.items()}
    headers |= SHAKING_HANDS if shaking else {}
    headers |= {} if origin is None else {"Origin": origin}
    environ = EnvironBuilder(path, OWN, method=method, headers=headers).get_environ()
    return int(run_wsgi_app(gate, environ)[1][:3])


def told(caplog):
    return [record.getMessage() for record in caplog.records]


def test_the_own_origin_is_let_in_also_with_the_port_that_browsers_leave_out(gate, caplog):
    assert answer(gate(), OWN) == 101
    assert answer(gate(), "http://blog.example", Host="blog.example:80") == 101
    assert answer(gate(), "http://blog.example", Host="BLOG.example") == 101
    assert answer(gate(), "http://blog.example", Host="blog.example:443") == 403
    assert len(told(caplog)) == 1, "those who are let in are no news"


@pytest.mark.parametrize("host", ["", "a b", "evil/", "x@y"])
def test_where_the_own_address_is_none_nobody_is_let_in(host, gate):
    assert answer(gate(), None, Host=host) == 403
    assert answer(gate(), "", Host=host) == 403
    assert answer(gate(), "another", Host=host) == 403
    assert answer(gate(), f"http://{host}", Host=host) == 403


def test_a_page_can_ask_with_any_request_whether_its_origin_is_allowed(gate):
    asked = {"method": "POST", "path": "/socket.io/", "shaking": False}
    assert answer(gate(), OWN, **asked) == 400
    assert answer(gate(), BLOG, **asked) == 403
    closed = gate()
    closed.closed = True
    assert answer(closed, BLOG, **asked) == 503, "while it restarts nothing else is said"


@pytest.mark.parametrize(
    ("origins", "proxies", "sent", "forwarded", "sentence"),
    [
        ([], 0, BLOG, {}, f"{BLOG!r} may not connect; expected is {OWN}. If that is yours too, set PARTY_ORIGINS="),
        ([], 1, BLOG, {}, f"set PARTY_ORIGINS={OWN},{BLOG}."),
        (["https://a.example", OWN], 0, BLOG, {}, f"expected is https://a.example or {OWN}."),
        (["https://a.example", OWN], 0, BLOG, {}, f"set PARTY_ORIGINS=https://a.example,{OWN},{BLOG}."),
        ([], 0, BLOG, {"X_Forwarded_Proto": "https", "Host": "blog.example"}, "set PARTY_PROXIES=1."),
        ([], 0, BLOG, {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "blog.example:443"}, "set PARTY_PROXIES=1."),
        ([], 0, BLOG, {"X_Forwarded_Proto": "http", "Host": "blog.example"}, f"set PARTY_ORIGINS=http://blog.example,{BLOG}."),
        ([BLOG], 0, "https://b.example", {"X_Forwarded_Proto": "https", "Host": "b.example"}, "https://b.example."),
    ],
)
def test_a_refused_origin_is_told_with_what_to_set(origins, proxies, sent, forwarded, sentence, gate, caplog):
    assert answer(gate(origins, proxies), sent, **forwarded) == 403
    assert sentence in told(caplog)[-1]


@pytest.mark.parametrize("sent", ["null", f"{BLOG}/", "https://$(reboot)", "file://", "https://a;b", "\xe4"])
def test_nobody_is_told_to_set_what_no_page_of_theirs_has(sent, gate, caplog):
    assert answer(gate(), sent) == 403
    assert repr(sent) in told(caplog)[0]
    assert "PARTY_" not in told(caplog)[0]


@pytest.mark.parametrize(
    "sent", [{"origin": f"{BLOG}\x1b[2J{'x' * 10_000}"}, {"origin": BLOG + "x" * 10_000}, {"Host": "x" * 10_000}]
)
def test_what_a_stranger_sends_makes_no_long_line(sent, gate, caplog):
    assert answer(gate(), **{"origin": BLOG, **sent}) == 403
    assert len(told(caplog)[0]) < 600
    assert "\x1b" not in told(caplog)[0]


def test_an_origin_is_told_once_a_minute_and_another_one_too(gate, caplog, monkeypatch):
    closed = gate()
    for origin in (BLOG, BLOG, "https://other.example", BLOG):
        answer(closed, origin)
    assert len(told(caplog)) == 2
    later = records.time.monotonic() + records.MINUTE_SECONDS
    monkeypatch.setattr(records.time, "monotonic", lambda: later)
    answer(closed, BLOG)
    assert len(told(caplog)) == 3


def test_who_sends_no_origin_is_no_page_and_not_told(gate, caplog):
    assert answer(gate()) == 403
    assert told(caplog) == []


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Forwarded_Proto", "X_Forwarded_Host"])
def test_a_proxy_that_is_not_believed_is_told_once(header, gate, caplog):
    not_told_of = gate()
    for _ in range(2):
        assert answer(not_told_of, path="/", **{header: "x"}) == 101
    assert len(told(caplog)) == 1
    assert header.replace("_", "-") in told(caplog)[0] and "set PARTY_PROXIES=1" in told(caplog)[0]


def test_a_proxy_that_is_believed_is_no_news(gate, caplog):
    assert answer(gate(proxies=1), path="/", X_Forwarded_For="192.0.2.1") == 101
    assert answer(gate(), path="/") == 101
    assert told(caplog) == []
