import pytest
from servers import ROOT, running_server
from visitor import Cable, close_rooms, people_without_a_page

from .drivers import ENGINES
from .friend import Friend

PICTURES = ROOT / "tests" / "screenshots" / "engines"


@pytest.fixture(scope="session", params=ENGINES)
def engine(request):
    engine = ENGINES[request.param]()
    yield engine
    print(f"{request.param} {engine.version}")
    engine.stop()


@pytest.fixture(scope="session")
def party():
    """A server that nothing foreign is asked for."""
    program = (str(ROOT / "tests" / "engines" / "watched.py"),)
    with running_server(program=program, PYTHONPATH=str(ROOT), PARTY_ASSETS="local") as server:
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    item.failed = getattr(item, "failed", False) or report.failed
    return report


@pytest.fixture
def visit(request, engine, party):
    """Opens a window for somebody and signs them in; at the end nothing may have gone wrong in any of them."""
    friends = []

    def visit(name, address=party.address):
        friends.append(Friend(engine.window(), address, name))
        return friends[-1].sign_in()

    yield visit
    try:
        if getattr(request.node, "failed", False):
            draw(friends, request.node.name)
        trouble = {friend.name: found for friend in friends if (found := friend.trouble())}
    finally:
        for friend in friends:
            friend.window.close()
        close_rooms(party, {friend.name for friend in friends})
    assert not trouble


def draw(friends, test):
    PICTURES.mkdir(parents=True, exist_ok=True)
    for friend in friends:
        (PICTURES / f"{test}-{friend.name}.png").write_bytes(friend.window.picture())


@pytest.fixture
def cable(party):
    cable = Cable(party.port)
    yield cable
    cable.close()


@pytest.fixture
def bilal_without_a_page(party):
    with people_without_a_page(party.address, "bilal") as [bilal]:
        yield bilal
    close_rooms(party, {"bilal"})
