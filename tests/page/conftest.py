import contextlib

import pytest
from discussion import Discussion
from servers import running_server
from visitor import Cable, Visitor, close_rooms

from runtime.journal import open_journal
from users import PEOPLE


@pytest.fixture(scope="session")
def party():
    """A server as its owner would start it."""
    with running_server(PARTY_PACE="5") as server:
        yield server


@pytest.fixture(scope="session")
def logging_party(tmp_path_factory):
    """A party whose log can be read, and is read by its services. Without a pace."""
    folder = str(tmp_path_factory.mktemp("logging"))
    settings = {"PARTY_INSTANCE": folder, "PARTY_JOURNAL": f"{folder}/party.db", "PARTY_SERVICES": "figures,feedback"}
    with running_server(**settings) as server:
        server.log = lambda: [command for _, command in open_journal(settings["PARTY_JOURNAL"]).replay()]
        yield server


@contextlib.contextmanager
def visiting(browser, party):
    visitors = []

    def visit(name, address=party.address, **how):
        visitors.append(Visitor(browser, address, name, **how))
        return visitors[-1]

    yield visit
    trouble = {visitor.name: visitor.trouble for visitor in visitors if visitor.trouble}
    for visitor in visitors:
        visitor.context.close()
    close_rooms(party, {visitor.name for visitor in visitors} & PEOPLE.keys())
    assert not trouble


@pytest.fixture
def visit(browser, party):
    """Opens a page for somebody; at the end nothing may have gone wrong in any of them."""
    with visiting(browser, party) as visit:
        yield visit


@pytest.fixture
def visit_in_whole_browser(whole_browser, party):
    with visiting(whole_browser, party) as visit:
        yield visit


@pytest.fixture
def asha(visit):
    return visit("asha").sign_in()


@pytest.fixture
def bilal(visit):
    return visit("bilal").sign_in()


@pytest.fixture
def chen(visit):
    return visit("chen").sign_in()


@pytest.fixture
def cable(party):
    cable = Cable(party.port)
    yield cable
    cable.close()


@pytest.fixture
def discussion(server, visit):
    """A room with people in it, on a server without a pace."""
    discussion = Discussion(server, visit)
    yield discussion
    discussion.end()
