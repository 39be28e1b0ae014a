"""What hinders a start, and the command that mends it."""

import errno
import os
import socket

import pytest

from runtime import obstacles, settings


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "INSTANCE", tmp_path / "instance")
    return tmp_path / "instance"


def mending(path, number):
    return obstacles.obstacle(path, OSError(number, os.strerror(number))).partition(". ")[2]


def test_a_folder_of_ours_with_the_wrong_mode_is_given_the_right_one(instance):
    instance.mkdir()
    assert mending(instance / "secret_key", errno.EACCES) == f"`chmod -R u+rwX {instance}` mends that."


def test_a_folder_of_somebody_else_is_given_to_who_starts(instance, monkeypatch):
    instance.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)  # who has no name here
    assert f"`chown -R 54321: {instance}`" in mending(instance / "served" / "file", errno.EACCES)


def test_where_there_is_no_folder_it_is_made_first(instance, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    assert f"`mkdir -p {instance} && chown -R 54321: {instance}`" in mending(instance / "secret_key", errno.EACCES)


def test_nothing_outside_of_the_folder_is_given_away_with_all_below_it(instance, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    elsewhere = tmp_path / "elsewhere.db"
    assert mending(elsewhere, errno.EACCES) == f"54321 may not write in {tmp_path}: name another place."
    elsewhere.touch()
    assert mending(elsewhere, errno.EACCES) == f"`chown 54321: {elsewhere}` as root mends that."


@pytest.mark.parametrize("number", [errno.EEXIST, errno.ENOTDIR])
def test_a_file_in_the_place_of_a_folder_is_moved_aside(number, instance):
    instance.touch()
    assert f"`mv {instance} {instance}.aside`" in mending(instance / "secret_key", number)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_shown(number, instance):
    assert f"`df -h {instance.parent}`" in mending(instance / "secret_key", number)


def test_what_has_no_mending_is_named_all_the_same(instance):
    assert obstacles.obstacle(instance, OSError(errno.EIO, "Input/output error")) == (
        f"{instance} cannot be used: Input/output error."
    )


@pytest.mark.parametrize(
    ("disk", "secret", "journal", "lost"),
    [
        ("kept", None, "party.db", []),
        ("thrown-away", None, "party.db", ["PARTY_SECRET_KEY", "PARTY_JOURNAL"]),
        ("thrown-away", "k" * 16, "memory:", ["PARTY_JOURNAL"]),
        ("thrown-away", None, "redis://db", ["PARTY_SECRET_KEY"]),
        ("thrown-away", "k" * 16, "rediss://db", []),
        ("thrown-away", "k" * 16, "unix:///run/redis.sock", []),
    ],
)
def test_a_disk_that_is_thrown_away_says_what_to_set(disk, secret, journal, lost, instance, monkeypatch, caplog):
    for name, value in {"DISK": disk, "SECRET_KEY": secret, "JOURNAL": journal}.items():
        monkeypatch.setattr(settings, name, value)
    obstacles.warn_of_settings("k" * 16)
    assert [record.getMessage().split("set ")[1].split()[0].rstrip(".") for record in caplog.records] == lost


def test_a_host_that_nobody_has_is_named_whatever_the_system_calls_that():
    told = {
        obstacles.why_not_listening(error)
        for error in (UnicodeError("label empty or too long"), socket.gaierror(socket.EAI_NONAME, "Name not known"))
    }
    assert len(told) == 1 and told.pop().startswith("No machine is known by that name.")


def test_a_list_of_people_on_a_disk_that_is_thrown_away_is_told(instance, monkeypatch, caplog):
    monkeypatch.setattr(settings, "DISK", "thrown-away")
    instance.mkdir()
    (instance / "people.json").touch()
    obstacles.warn_of_settings("k" * 16)
    assert "the list of people will be lost" in caplog.records[-1].getMessage()
