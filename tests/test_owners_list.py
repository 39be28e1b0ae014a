"""The owner's own list of people: how it is kept and changed, and that a party takes it up while it runs."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import sid_of
from servers import ROOT, SECRET, running_redis, running_server

import users
from party import reading
from runtime import settings
from runtime.journal import Unavailable


@pytest.fixture
def instance(tmp_path, monkeypatch):
    """The folder of a party with no list yet; whoever may sign in is forgotten afterwards."""
    monkeypatch.setattr(settings, "INSTANCE", tmp_path / "instance")
    monkeypatch.setattr(settings, "SECRET_KEY", SECRET)
    for name in ("NUMBERS", "_AS_TYPED", "_owner", "_taken_up"):
        monkeypatch.setattr(users, name, getattr(users, name))
    users.take_up()
    return tmp_path / "instance"


@pytest.fixture
def run(instance, monkeypatch, capsys):
    """Does what `python users.py …` does, and gives what it prints."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["users.py", *words])
        users.take_up()  # as at its start
        users.main()
        return capsys.readouterr().out

    return run


def kept(instance):
    return json.loads((instance / "people.json").read_text())


def written(instance, content):
    instance.mkdir(exist_ok=True)
    (instance / "people.json").write_text(content if isinstance(content, str) else json.dumps(content))


def names_shown(said):
    return [line.split()[0] for line in said.splitlines() if "#name=" in line]


def test_until_there_is_a_list_the_six_may_sign_in_and_then_only_who_is_on_it(run):
    assert names_shown(run()) == [*users.PEOPLE]
    said = run("add", "zoe", "max")
    assert "zoe is the owner" in said
    assert names_shown(listed := run()) == ["zoe", "max"]
    assert listed.splitlines()[-1].startswith("zoe is the owner: http")
    users.take_up()
    assert (users.number_of("zoe"), users.number_of("asha"), users.name_of("asha")) == (1, None, "asha")


def test_who_begins_a_list_is_told_whom_of_the_six_it_shuts_out(run):
    assert "Of those in users.py bilal, chen, dana, emeka, farida can no longer sign in" in run("add", "zoe", "asha")
    assert "no longer" not in run("add", "max")
    run("remove", "zoe", "asha", "max")
    assert "no longer" not in run("add", "zoe"), "none of the six could before"


def test_the_owner_is_the_first_of_the_people_and_never_an_extra(run, monkeypatch):
    monkeypatch.setattr(users, "EXTRAS", {"extra1": 1})
    assert users.owner() == next(iter(users.PEOPLE))
    run("add", "zoe", "max")
    users.take_up()
    assert users.owner() == "zoe"
    run("renew", "zoe")
    users.take_up()
    assert users.owner() == "zoe", "another password, the same person"
    run("remove", "zoe")
    users.take_up()
    assert users.owner() == "max"
    run("remove", "max")
    users.take_up()
    assert users.owner() is None and users.number_of("extra1") == 1


def test_the_list_is_for_its_owner_alone_and_nothing_else_is_left_beside_it(run, instance):
    run("add", "Zoë")
    assert kept(instance)["people"] == {"Zoë": 1}
    assert "Zoë" in (instance / "people.json").read_text(), "a person can read it"
    assert {path.name for path in instance.iterdir()} == {"people.json", "people.json-begun"}
    assert (instance / "people.json").stat().st_mode & 0o777 == 0o600
    assert instance.stat().st_mode & 0o777 == 0o700


def test_what_root_writes_belongs_to_whom_the_folder_belongs_to(run, instance):
    instance.mkdir()
    if os.geteuid() == 0:
        os.chown(instance, 65534, 65534)
    run("add", "zoe")
    assert (instance / "people.json").stat().st_uid == instance.stat().st_uid


@pytest.mark.parametrize("names", [["", "asha"], ["asha", "Asha"], ["asha "]])
def test_names_in_users_py_are_looked_at_too_where_they_count(names, instance, monkeypatch):
    monkeypatch.setattr(users, "PEOPLE", dict.fromkeys(names, 1))
    with pytest.raises(ValueError, match="^PEOPLE in users.py: "):
        users.take_up()
    written(instance, {"people": {"zoe": 1}})
    users.take_up()
    assert users.number_of("zoe") == 1


def test_who_is_added_is_shown_with_a_link_that_signs_in(run, clean_party):
    name = "Zoë & Åsa #1 🙂 שרה"
    line = run("add", name, "--address", "https://blog.example/party").splitlines()[0]
    password = users.password(SECRET, name, 1)
    encoded = "Zo%C3%AB%20%26%20%C3%85sa%20%231%20%F0%9F%99%82%20%D7%A9%D7%A8%D7%94"
    link = f"https://blog.example/party/sign-in#name={encoded}&password={password}"
    assert line == f"{name:<10} {password}   {link}"
    users.take_up()
    assert users.number_of(users.name_of(name.upper())) == 1
    assert reading.user({"user": name}) == name, "a host can let them in"


def test_the_address_is_said_once(run):
    assert "http://127.0.0.1" in run("add", "zoe")
    assert "https://blog.example/party/sign-in#" in run("renew", "zoe", "--address", "https://blog.example/party/")
    assert "https://blog.example/party/sign-in#" in run("add", "max")
    assert "https://blog.example/party/sign-in#" in run()
    assert "https://elsewhere.example/sign-in#" in run("https://elsewhere.example")


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"ORIGINS": ["https://party.example", "https://blog.example"]}, "https://party.example/"),
        ({"PUBLISHED_AT": "https://blog.example/party/published/"}, "https://blog.example/party/"),
        ({"HOST": "127.0.0.2"}, f"http://127.0.0.2:{settings.PORT}/"),
    ],
)
def test_an_address_that_nobody_said_is_the_one_in_the_settings(given, at, run, monkeypatch):
    for name, value in given.items():
        monkeypatch.setattr(settings, name, value)
    said = run()
    assert f" {at}sign-in#name=asha" in said and f"{at}insights" in said


def test_another_password_is_another_number_whatever_capitals_were_typed(run, instance):
    run("add", "zoe", "max")
    assert users.password(SECRET, "zoe", 2) in run("renew", "ZOE")
    assert kept(instance)["people"] == {"zoe": 2, "max": 1}


@pytest.mark.parametrize("verb", ["renew", "remove"])
def test_who_is_named_twice_is_meant_once(verb, run, instance):
    run("add", "zoe", "max")
    run(verb, "zoe", "ZOE")
    assert kept(instance)["people"] == ({"zoe": 2, "max": 1} if verb == "renew" else {"max": 1})


def test_who_comes_back_has_another_password_than_ever_before(run, instance):
    run("add", "zoe", "max")
    run("renew", "zoe")
    run("remove", "zoe")
    assert kept(instance)["people"] == {"max": 1}
    run("add", "Zoe")
    assert kept(instance)["people"] == {"max": 1, "Zoe": 3}
    run("remove", "zoe")
    run("add", "zoe")
    assert kept(instance)["people"] == {"max": 1, "zoe": 4}


def test_who_had_a_number_in_users_py_keeps_it(run, instance, monkeypatch):
    monkeypatch.setitem(users.PEOPLE, "asha", 3)
    run("add", "asha")
    assert kept(instance)["people"] == {"asha": 3}


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([""], "'' is empty"),
        ([" "], "' ' is empty"),
        (["x" * 41], "longer than 40"),
        ([" max"], "' max' has white space"),
        (["max  mueller"], "white space"),
        (["max\u00a0mueller"], "white space"),
        (["max\nmueller"], "white space"),
        (["ma\x07x"], "nobody can see"),
        (["max\u202e"], r"'max\\u202e' has a character in it that nobody can see"),
        (["\udcff"], "nobody can see"),
        (["zoe"], "'zoe' is on the list already"),
        (["ZOE"], "'ZOE' is on the list already"),
        (["max", "Max"], "'max' and 'Max' are the same name"),
        (["Extra1"], "'extra1' and 'Extra1' are the same name"),
    ],
)
def test_a_name_that_is_none_is_not_added_nor_is_who_was_named_with_it(names, sentence, run, instance, monkeypatch):
    monkeypatch.setattr(users, "EXTRAS", {"extra1": 1})
    run("add", "zoe")
    with pytest.raises(ValueError, match=sentence):
        run("add", "dana", *names)
    assert kept(instance)["people"] == {"zoe": 1}


@pytest.mark.parametrize("name", ["x" * 40, "Anna de Vries", "O'Neil", "محمد", "José", "👍🏽"])
def test_a_name_is_whatever_a_person_is_called(name, run, instance):
    run("add", name)
    assert [*kept(instance)["people"]] == [name]


@pytest.mark.parametrize("verb", ["renew", "remove"])
def test_who_is_not_on_the_list_is_answered_with_the_nearest_name(verb, run, instance):
    with pytest.raises(SystemExit, match="nobody on a list of yours"):
        run(verb, "asha")
    run("add", "zoe", "maximilian")
    with pytest.raises(SystemExit, match="'maximillian' is not on the list. 'maximilian' may be meant."):
        run(verb, "zoe", "maximillian")
    assert kept(instance)["people"] == {"zoe": 1, "maximilian": 1}


@pytest.mark.parametrize("words", [("ad", "zoe"), ("zoe",), ("add", "zoe", "--address", "blog")])
def test_what_is_no_command_is_answered_with_those_that_are(words, run, instance):
    with pytest.raises(SystemExit, match="https://"):
        run(*words)
    assert not instance.exists()


def test_links_can_say_where_they_stood(run, clean_party):
    for line in (run("--from", "news_1").splitlines()[0], run("add", "asha", "--from", "news_1").splitlines()[0]):
        assert "/sign-in?from=news_1#name=asha&password=" in line
        browser = clean_party.app.test_client()
        browser.get("/" + line.rpartition("/")[2])
        with browser.session_transaction() as session:
            assert session["source"] == "news_1"


@pytest.mark.parametrize("source", ["my blog", "ñ", "x" * 41, "a&b"])
def test_what_no_link_can_say_is_answered_with_what_it_can(source, run, instance):
    with pytest.raises(SystemExit, match="--from takes up to 40 letters"):
        run("add", "zoe", "--from", source)
    assert not instance.exists()


@pytest.mark.parametrize("verb", ["add", "renew", "remove"])
def test_who_names_nobody_is_asked_whom(verb, run, instance):
    with pytest.raises(SystemExit, match=f"Whom. `python users.py {verb} NAME"):
        run(verb)
    assert not instance.exists()


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "5", "{}!", '{"people": ["zoe"]}', *({"people": {"zoe": number}} for number in (0, True, "1", 1.5))]
    + [{"people": {"zoe": 1}, "address": 5}, {"people": {"zoe": 1}, "removed": []}, {"people": {"zoe": 1, "Zoe": 1}}],
)
def test_a_list_that_is_none_is_named_and_left_as_it_is(content, run, instance):
    written(instance, content)
    before = (instance / "people.json").read_bytes()
    with pytest.raises(ValueError, match=re.escape(str(instance / "people.json"))):
        run("add", "max")
    assert (instance / "people.json").read_bytes() == before


def test_where_the_list_cannot_be_written_the_one_before_stays(run, instance, monkeypatch):
    run("add", "zoe")
    monkeypatch.setattr(os, "fsync", fails_with(28, "No space left on device"))
    with pytest.raises(SystemExit, match="No space left on device. Make room there"):
        run("add", "max")
    assert kept(instance)["people"] == {"zoe": 1}
    assert {path.name for path in instance.iterdir()} == {"people.json", "people.json-begun"}


def test_without_its_list_a_party_does_not_start_with_the_six_whom_the_owner_may_have_removed(run, instance):
    run("add", "asha", "zoe")
    run("remove", "asha")
    (instance / "people.json").unlink()
    with pytest.raises(ValueError, match="is gone.* `tar -xzf FILE -C .* people.json` puts it back") as said:
        users.take_up()
    Path(re.search(r"`rm (.+?)`", str(said.value))[1]).unlink()
    users.take_up()
    assert users.number_of("asha") == 1, "as the sentence says: anew, with the names in users.py"


def test_a_name_that_stands_in_the_list_twice_is_named(instance):
    written(instance, '{"people": {"bilal": 3, "asha": 1, "bilal": 1}}')
    with pytest.raises(ValueError, match="'bilal' stands in it twice"):
        users.take_up()


def fails_with(number, words):
    def fail(*_):
        raise OSError(number, words)

    return fail


def test_a_running_party_takes_up_the_list_and_ends_the_tabs_of_who_has_another_number(instance, join, hung_up, run):
    run("add", "asha", "bilal", "chen")
    asha, bilal, chen = join("asha"), join("bilal"), join("chen")
    party = chen.line.party
    party.tick()
    party.tick()
    assert hung_up == [], "the premise"
    run("renew", "asha")
    run("remove", "bilal")
    party.tick()
    party.tick()
    assert set(hung_up) == {sid_of(asha), sid_of(bilal)}
    assert asha.ask("host", {"topic": "Tea"})["code"] == "signed_out"
    assert chen.ask("host", {"topic": "Tea"})["ok"]
    assert party.state.users["asha"].number == 2, "the log says it too"


def test_while_the_log_is_away_the_tabs_end_and_the_log_hears_of_it_later(instance, join, hung_up, run, monkeypatch):
    run("add", "asha")
    asha = join("asha")
    party = asha.line.party
    party.tick()
    run("renew", "asha")
    with monkeypatch.context() as away:
        away.setattr(party.journal, "append", fails_unavailable)
        party.tick()
        party.tick()
        assert hung_up[:1] == [sid_of(asha)]
        assert party.state.users["asha"].number is None, "the premise"
    party.tick()
    assert party.state.users["asha"].number == 2


def fails_unavailable(_):
    raise Unavailable("away")


@pytest.mark.parametrize("content", ["{", None])
def test_a_list_that_breaks_while_the_party_runs_changes_nothing_and_is_told_once(content, instance, run, join, caplog):
    run("add", "asha")
    asha = join("asha")
    asha.line.party.tick()
    (instance / "people.json").unlink()
    if content:
        written(instance, content)
    for _ in range(3):
        asha.line.party.tick()
    assert asha.ask("host", {"topic": "Tea"})["ok"]
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1 and str(instance / "people.json") in told[0]
    written(instance, {"people": {"bilal": 1}})
    asha.line.party.tick()
    assert asha.ask("host", {"topic": "Tea"})["code"] == "signed_out", "a whole one is taken up again"


def test_a_tick_reads_no_list_that_did_not_change(instance, run, clean_party, monkeypatch):
    run("add", "asha")
    clean_party.tick()
    monkeypatch.setattr(users, "read_list", lambda: pytest.fail("it was read"))
    clean_party.tick()


@pytest.mark.server
def test_revoking_somebody_needs_no_restart_of_any_process(tmp_path):
    own = {"PARTY_INSTANCE": str(tmp_path / "instance")}
    users_py("add", "asha", "zoe", **own)
    with running_redis() as redis, ExitStack() as stack:
        servers = [stack.enter_context(running_server(PARTY_JOURNAL=redis.address, **own)) for _ in range(2)]
        tabs = [server.person("asha") for server in servers]
        said = users_py("renew", "asha", **own).stdout
        began = time.monotonic()
        for tab in tabs:
            tab.line.wait_until(lambda tab=tab: tab.line.closed, "it is hung up on")
        assert time.monotonic() - began < 2
        assert users.password(SECRET, "asha", 2) in said
        for server in servers:
            with pytest.raises(Exception, match="401"):
                server.cookies_of("asha")


def users_py(*words, **settings):
    return subprocess.run(
        [sys.executable, "users.py", *words], cwd=ROOT, env=os.environ | settings, capture_output=True, text=True
    )
