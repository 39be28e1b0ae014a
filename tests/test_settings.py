"""What is read from the environment: understood, or refused with a sentence that names it."""

import runpy
import socket

import pytest
from servers import ROOT

from runtime import settings


def read(monkeypatch, **given):
    """What settings.py makes of these."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(ROOT / "runtime" / "settings.py"))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PARTY_ROOM_MINUTES", "0"),
        ("PARTY_PACE", "nan"),
        ("PARTY_PACE", "inf"),
        ("PARTY_SEATS", ""),
        ("PARTY_SEATS", "8.0"),
        ("PARTY_PROXIES", "-1"),
        ("PORT", "70000"),
        ("PARTY_DISK", ""),
        ("PARTY_SERVICES", ""),
        ("PARTY_SERVICES", "none,figures"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_with_a_sentence(setting, value, monkeypatch):
    with pytest.raises(SystemExit, match=rf"^{setting} must be .* not {value!r}\.$"):
        read(monkeypatch, **{setting: value})


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("PARTY_SEAT", "PARTY_SEATS"), ("PARTY_ORIGIN", "PARTY_ORIGINS"), ("PARTY_HOST", "HOST"),
     ("PARTY_SECRETKEY", "PARTY_SECRET_KEY"), ("PARTY_", "docs/operating.md"), ("PARTY_seats", "docs/operating.md")],
)  # fmt: skip
@pytest.mark.parametrize("value", ["3", ""])
def test_a_setting_that_there_is_not_is_refused_with_the_nearest(misspelt, meant, value, monkeypatch):
    with pytest.raises(SystemExit, match=rf"^{misspelt} is no setting: {meant} "):
        read(monkeypatch, **{misspelt: value})


def test_every_setting_is_known_wherever_it_is_read(monkeypatch):
    assert {"HOST", "PORT", "PARTY_ORIGINS", "PARTY_ASYNC_MODE"} <= read(monkeypatch)["known"]


def test_all_that_is_kept_is_where_PARTY_INSTANCE_says(monkeypatch, tmp_path):  # noqa: N802
    monkeypatch.delenv("PARTY_JOURNAL")
    for given, folder in ((str(tmp_path), tmp_path), ("elsewhere", ROOT / "elsewhere"), ("", ROOT / "instance")):
        found = read(monkeypatch, PARTY_INSTANCE=given)
        assert (found["INSTANCE"], found["JOURNAL"]) == (folder, str(folder / "party.db"))


@pytest.mark.parametrize(
    ("given", "services"),
    [
        ("figures,feedback", ["figures", "feedback"]), (" feedback , figures", ["figures", "feedback"]),
        ("feedback", ["feedback"]), ("none", []),
    ],
)  # fmt: skip
def test_services_are_those_that_are_named(given, services, monkeypatch):
    monkeypatch.delenv("PARTY_JOURNAL")
    assert read(monkeypatch, PARTY_SERVICES=given)["SERVICES"] == services


def test_an_ai_reads_along_where_the_owner_names_one_and_the_service_runs(monkeypatch):
    monkeypatch.delenv("PARTY_JOURNAL")
    assert read(monkeypatch, PARTY_MOMENTS_MODEL="small")["AI"] is None
    found = read(monkeypatch, PARTY_MOMENTS_AT="http://[::1]:11434/v1")
    assert (found["AI"], found["MOMENTS_AT"]) == ("small", "http://[::1]:11434/v1/")
    assert read(monkeypatch, PARTY_SERVICES="figures")["AI"] is None


def test_none_reads_along_in_a_log_that_lives_in_memory(monkeypatch):
    assert read(monkeypatch, PARTY_JOURNAL="memory:")["SERVICES"] == []


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "http://127.0.0.1:80/"), ("blog.example", "http://blog.example:80/"), ("::1", "http://[::1]:80/")],
)
def test_a_party_that_listens_at_one_address_has_that_one(host, address, monkeypatch):
    assert read(monkeypatch, HOST=host)["addresses"](80) == [address]


@pytest.mark.parametrize(("host", "here"), [("0.0.0.0", "http://127.0.0.1:80/"), ("::", "http://[::1]:80/")])
@pytest.mark.parametrize("is_alone", [False, True])
def test_a_party_that_listens_everywhere_names_this_machine_first_and_what_others_open_last(
    host, here, is_alone, monkeypatch
):
    monkeypatch.setattr(socket, "socket", Unreached if is_alone else Reached)
    other = "http://[2001:db8::7]:80/" if ":" in host else "http://198.51.100.7:80/"
    assert read(monkeypatch, HOST=host)["addresses"](80) == ([here] if is_alone else [here, other])


class Reached:
    """A socket of a machine with a way out."""

    def __init__(self, family, kind):
        assert kind == socket.SOCK_DGRAM, "nothing is sent"
        self.family = family

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def connect(self, address):
        pass

    def getsockname(self):
        return ("2001:db8::7" if self.family == socket.AF_INET6 else "198.51.100.7", 5)


class Unreached(Reached):
    def connect(self, address):
        raise OSError("Network is unreachable")


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("https://blog.example", ["https://blog.example"]),
        ("https://blog.example:443", ["https://blog.example"]),
        ("http://blog.example:80/", ["http://blog.example"]),
        ("http://a.example:443, HTTPS://Blog.Example:8443/", ["http://a.example:443", "https://blog.example:8443"]),
        ("http://[::1]:5000", ["http://[::1]:5000"]),
        # As Chromium and Firefox send them.
        ("https://bücher.example", ["https://xn--bcher-kva.example"]),
        ("https://Straße.example", ["https://xn--strae-oqa.example"]),
        ("https://xn--bcher-kva.example", ["https://xn--bcher-kva.example"]),
        ("", []),
        (" , ", []),
    ],
)
def test_an_origin_is_understood_as_browsers_send_it(given, understood, monkeypatch):
    monkeypatch.setenv("PARTY_ORIGINS", given)
    assert settings.origins("PARTY_ORIGINS") == understood


@pytest.mark.parametrize(
    "given",
    ["blog.example", "https://blog.example/party/", "https://*.blog.example", "https://a b", "null", "https://a@b"]
    + ["https://blog.example:", "https://blog.example:https", "https://blog.example:65536", "ftp://blog.example", "https://blog.example;http://a"],
)
def test_what_is_no_origin_is_named(given, monkeypatch):
    monkeypatch.setenv("PARTY_ORIGINS", f"https://a.example,{given}")
    with pytest.raises(SystemExit, match="PARTY_ORIGINS must be .* not ") as stopped:
        settings.origins("PARTY_ORIGINS")
    assert repr(given) in str(stopped.value)
