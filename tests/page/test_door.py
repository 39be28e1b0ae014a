"""A room's door, as its host opens it: in the first dialog, in the room, from the menu; and the link that it has."""

import re

import pytest
from person import come_in_over_http
from playwright.sync_api import expect
from servers import running_server
from visitor import people_without_a_page

LINK = re.compile(r"#room=\w+&door=[\w-]{22}$")


def choose(visitor, way):
    visitor.sheet.get_by_text(way, exact=True).click()
    expect(visitor.sheet.get_by_role("radio", name=way)).to_be_checked()


def host_with_open_door(visitor, topic):
    """Guests listen there and ask; its sheet stays open."""
    visitor.host(topic)
    visitor.room.get_by_role("button", name="Let guests in by a link").click()
    choose(visitor, "By link: ask too")


def link(visitor):
    return visitor.sheet.get_by_role("textbox", name="The link to this room")


def open_door_sheet(visitor):
    """From the menu, as in a room with people in it."""
    visitor.open_menu().get_by_role("button", name="Invite").click()
    expect(visitor.sheet.get_by_role("radio", name="Friends")).to_be_visible()


def hand_over(asha, bilal):
    """He asks to speak, she lets him in and makes him the host."""
    bilal.ask()
    asha.approve("bilal")
    asha.room.get_by_role("button", name="More about bilal").click()
    asha.room.get_by_role("button", name="Make bilal the host").click()
    expect(bilal.page.get_by_text("You are the host now.")).to_be_visible()


def test_a_door_can_be_opened_with_the_room(asha, bilal):
    asha.page.get_by_role("button", name="Host a room").click()
    asha.sheet.get_by_role("textbox", name="Topic").fill("An open house")
    expect(asha.sheet.get_by_role("radio", name="Friends")).to_be_checked()
    choose(asha, "By link: listen")
    expect(asha.sheet.get_by_text("Whoever has the link may come in as a guest and listen.")).to_be_visible()
    asha.sheet.get_by_role("button", name="Open the room").click()
    expect(asha.room.get_by_role("textbox", name="The link to this room")).to_have_value(LINK)
    expect(asha.room.get_by_text("Whoever opens this link may come in as a guest and listen.")).to_be_visible()
    expect(bilal.card("An open house").get_by_text("open door")).to_be_visible()
    expect(bilal.card("An open house")).to_be_visible()
    asha.close_room()


def test_the_host_alone_opens_the_door_from_the_invitation_copies_the_link_and_closes_it(asha, bilal):
    asha.host("A closed house")
    expect(asha.room.get_by_role("textbox", name="The link to this room")).to_have_value(re.compile(r"#room=\w+$"))
    expect(bilal.card("A closed house").get_by_text("open door")).to_have_count(0)
    asha.room.get_by_role("button", name="Let guests in by a link").click()
    choose(asha, "By link: ask too")
    expect(link(asha)).to_have_value(LINK)
    expect(asha.sheet.get_by_text("come in as a guest, listen, and ask to speak.")).to_have_count(1)  # said once
    first = link(asha).input_value()
    asha.sheet.get_by_role("button", name="Copy the link").click()
    expect(asha.sheet.get_by_role("status").filter(has_text="Link copied.")).to_be_visible()
    assert asha.page.evaluate("navigator.clipboard.readText()") == first
    choose(asha, "By link: listen")
    expect(link(asha)).to_have_value(first)  # it is the same door
    expect(asha.sheet.get_by_role("switch", name="From the beginning")).not_to_be_checked()
    asha.sheet.get_by_role("switch", name="From the beginning").check()
    asha.page.keyboard.press("Escape")
    expect(asha.room.get_by_text("open door")).to_be_visible()
    asha.room.get_by_role("button", name="Who may come in").click()
    expect(asha.sheet.get_by_role("switch", name="From the beginning")).to_be_checked()
    asha.sheet.get_by_text("Friends", exact=True).click()
    expect(asha.sheet.get_by_role("group", name="The link will lead nowhere.")).to_be_focused()
    asha.sheet.get_by_role("button", name="Leave it as it is").click()
    expect(asha.sheet.get_by_role("radio", name="By link: listen")).to_be_checked()
    expect(link(asha)).to_have_value(first)
    asha.sheet.get_by_text("Friends", exact=True).click()
    asha.sheet.get_by_role("button", name="They may stay").click()
    expect(asha.sheet.get_by_role("status").filter(has_text="The door is closed.")).to_be_visible()
    expect(link(asha)).to_have_value(re.compile(r"#room=\w+$"))
    choose(asha, "By link: listen")
    expect(link(asha)).to_have_value(LINK)
    assert link(asha).input_value() != first, "the old link leads nowhere"
    asha.page.keyboard.press("Escape")
    asha.close_room()


def test_the_link_can_be_changed_and_every_tab_of_the_host_has_the_new_one(asha):
    host_with_open_door(asha, "Two tabs")
    expect(link(asha)).to_have_value(LINK)
    first = link(asha).input_value()
    other = asha.new_tab()
    other.goto(asha.page.url)
    in_other_tab = other.get_by_role("textbox", name="The link to this room")
    expect(in_other_tab).to_have_value(first)
    asha.sheet.get_by_role("button", name="Change the link").click()
    asha.sheet.get_by_role("button", name="Change it, they may stay").click()
    expect(asha.sheet.get_by_role("status").filter(has_text="This is the new link.")).to_be_visible()
    expect(link(asha)).not_to_have_value(first)
    expect(in_other_tab).to_have_value(link(asha).input_value())
    asha.page.keyboard.press("Escape")
    asha.close_room()


@pytest.mark.parametrize("way", ["They may stay", "Show them out"])
def test_what_a_closing_door_does_with_those_inside_is_asked(asha, way):
    sent = []
    asha.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    asha.page.reload()
    host_with_open_door(asha, "Closing time")
    expect(link(asha)).to_have_value(LINK)
    asha.sheet.get_by_text("Friends", exact=True).click()
    asha.sheet.get_by_role("button", name=way).click()
    expect(asha.sheet.get_by_role("status").filter(has_text="The door is closed.")).to_be_visible()
    asks = [frame for frame in sent if '["door"' in str(frame)]
    assert f'"out":{"true" if way == "Show them out" else "false"}' in asks[-1]
    asha.page.keyboard.press("Escape")
    asha.close_room()


def test_where_the_party_cannot_tell_the_link_any_more_a_new_one_is_offered(asha):
    tokens = []

    def lose_the_first(socket):
        def pass_on(frame):
            tokens.extend(re.findall(r'"token":"([\w-]{22})"', str(frame)))
            socket.send(frame.replace(f'"{tokens[0]}"', "null") if tokens and isinstance(frame, str) else frame)

        socket.connect_to_server().on_message(pass_on)

    asha.page.route_web_socket(re.compile("socket.io"), lose_the_first)
    asha.page.reload()
    host_with_open_door(asha, "Another key")
    expect(asha.sheet.get_by_text("it cannot be shown again")).to_be_visible()
    expect(link(asha)).to_have_count(0)
    asha.sheet.get_by_role("button", name="Change the link").click()
    asha.sheet.get_by_role("button", name="Change it, they may stay").click()
    expect(link(asha)).to_have_value(LINK)
    asha.page.keyboard.press("Escape")
    asha.close_room()


def test_a_room_that_no_lobby_shows_is_handed_over_with_its_link(asha, bilal):
    asha.page.get_by_role("button", name="Host a room").click()
    asha.sheet.get_by_role("textbox", name="Topic").fill("Ours, then yours")
    asha.sheet.get_by_role("switch", name="Not in the lobby").check()
    choose(asha, "By link: ask too")
    asha.sheet.get_by_role("button", name="Open the room").click()
    expect(asha.room.get_by_role("textbox", name="The link to this room")).to_have_value(LINK)
    held = "Object.keys(document.getElementById('party')._vnode.component.proxy.doors).length"
    assert asha.page.evaluate(held) == 1
    bilal.page.goto(asha.page.url)
    hand_over(asha, bilal)
    open_door_sheet(bilal)
    expect(link(bilal)).to_have_value(LINK)
    asha.page.wait_for_function(f"{held} === 0")
    bilal.page.keyboard.press("Escape")
    bilal.close_room()


def test_nobody_but_the_host_has_the_link_or_the_choice(asha, bilal):
    host_with_open_door(asha, "Whose door?")
    asha.page.keyboard.press("Escape")
    bilal.watch("Whose door?")
    bilal.open_menu().get_by_role("button", name="Invite").click()
    expect(link(bilal)).to_have_value(re.compile(r"#room=\w+$"))
    expect(bilal.sheet.get_by_role("radio")).to_have_count(0)
    bilal.page.keyboard.press("Escape")
    asha.close_room()


def test_whoever_becomes_the_host_has_the_link_from_then_on(asha, bilal):
    host_with_open_door(asha, "Handed over")
    expect(link(asha)).to_have_value(LINK)
    token = link(asha).input_value()
    asha.page.keyboard.press("Escape")
    bilal.watch("Handed over")
    hand_over(asha, bilal)
    open_door_sheet(bilal)
    expect(link(bilal)).to_have_value(token)
    asha.open_menu().get_by_role("button", name="Invite").click()
    expect(link(asha)).to_have_value(re.compile(r"#room=\w+$"))
    bilal.page.keyboard.press("Escape")
    asha.page.keyboard.press("Escape")
    bilal.close_room()


def test_a_refusal_is_said_and_the_choice_is_as_it_was(asha):
    asha.host("Refused")
    asha.room.get_by_role("button", name="Let guests in by a link").click()
    expect(asha.sheet.get_by_role("radio", name="Friends")).to_be_checked()
    with people_without_a_page(asha.address, "asha") as (elsewhere,):
        elsewhere.close(asha.page.url.rpartition("=")[2])
    expect(asha.page.locator(".room--over")).to_have_count(1)
    asha.sheet.get_by_text("By link: ask too", exact=True).click()
    expect(asha.sheet.get_by_role("alert").filter(has_text="That room has closed.")).to_be_visible()
    expect(asha.sheet.get_by_role("radio", name="Friends")).to_be_checked()


def test_this_part_comes_only_when_a_host_asks_for_it_and_a_host_reads_when_it_cannot_be_had(visit, server):
    asha = visit("asha", server.address)
    fetched = []
    asha.page.on("request", lambda request: fetched.append(request.url.rpartition("/")[2]))
    asha.page.route("**/hosting.js", lambda route: route.abort())
    asha.sign_in()
    asha.page.wait_for_function("performance.getEntriesByType('resource').some((e) => /room.js/.test(e.name))")
    assert not {"hosting.js", "hosting.css", "plans.js", "plans.css"} & {*fetched}
    asha.page.get_by_role("button", name="Host a room").click()
    expect(asha.page.get_by_role("status").filter(has_text="The party is not answering.")).to_be_visible()
    asha.page.unroute("**/hosting.js")
    asha.page.reload()
    asha.host("Here it is")
    asha.close_room()


# --- Showing out ------------------------------------------------------------------------------------------------------


def in_a_room_with_guests(visit, server, *names):
    """asha's page, and the guests who listen there."""
    asha = visit("asha", server.address).sign_in()
    host_with_open_door(asha, "An open house")
    expect(link(asha)).to_have_value(LINK)
    address = link(asha).input_value()
    asha.page.keyboard.press("Escape")
    guests = [server.guest(address, name) for name in names]
    for guest in guests:
        guest.watch(asha.page.url.rpartition("=")[2])
    return asha, address, *guests


def show_out(asha, name):
    asha.room.get_by_role("button", name=f"More about {name} (guest)").click()
    asha.room.get_by_role("button", name=f"Show {name} (guest) out").click()
    expect(asha.sheet.get_by_role("heading", name=f"Show {name} (guest) out?")).to_be_visible()


def can_come_in(server, address, name):
    answer, _ = come_in_over_http(server.address, address, name)
    return answer["ok"]


def test_a_guest_is_shown_out_and_the_page_says_that_the_link_still_holds(visit, server):
    asha, address, tom = in_a_room_with_guests(visit, server, "Tom")
    show_out(asha, "Tom")
    expect(asha.sheet.get_by_text("With the link they could come in anew, as another guest.")).to_be_visible()
    asha.sheet.get_by_role("button", name="Leave it as it is").click()
    assert tom.heard("put_out") == []
    show_out(asha, "Tom")
    asha.sheet.get_by_role("button", name="Show out", exact=True).click()
    expect(asha.page.get_by_role("status").filter(has_text="Tom (guest) is out.")).to_be_visible()
    expect(asha.room.get_by_role("button", name="More about Tom (guest)")).to_have_count(0)
    tom.hears("put_out")
    assert can_come_in(server, address, "Tom"), "as the page said"
    asha.close_room()


def test_the_link_is_changed_in_the_same_breath(visit, server):
    asha, address, tom, maya = in_a_room_with_guests(visit, server, "Tom", "Maya")
    show_out(asha, "Tom")
    asha.sheet.get_by_role("button", name="Show out, and change the link").click()
    expect(
        asha.page.get_by_role("status").filter(has_text="Tom (guest) is out, and the link is a new one.")
    ).to_be_visible()
    tom.hears("put_out")
    assert not can_come_in(server, address, "Tom")
    open_door_sheet(asha)
    expect(link(asha)).to_have_value(LINK)
    assert link(asha).input_value() != address and can_come_in(server, link(asha).input_value(), "Tom")
    asha.page.keyboard.press("Escape")
    expect(asha.room.get_by_role("button", name="More about Maya (guest)")).to_be_visible()
    assert maya.heard("put_out") == [], "who came by the old link stays"
    asha.close_room()


def test_who_has_a_seat_goes_as_well_and_behind_a_closed_door_nobody_comes_anew(visit, server):
    asha, address, tom = in_a_room_with_guests(visit, server, "Tom")
    room = asha.page.url.rpartition("=")[2]
    tom.request(room, pitch="A song")
    asha.room.get_by_role("button", name="Let in Tom (guest)").click()
    tom.hears("approved")
    open_door_sheet(asha)
    asha.sheet.get_by_text("Friends", exact=True).click()
    asha.sheet.get_by_role("button", name="They may stay").click()
    expect(asha.sheet.get_by_role("status").filter(has_text="The door is closed.")).to_be_visible()
    asha.page.keyboard.press("Escape")
    asha.room.get_by_role("button", name="More about Tom (guest)").click()
    expect(asha.room.get_by_role("button", name="Make Tom")).to_have_count(0)
    asha.room.get_by_role("button", name="Show Tom (guest) out").click()
    expect(asha.sheet.get_by_text("The door is closed, so nobody comes in anew.")).to_be_visible()
    expect(asha.sheet.get_by_role("button", name="Show out, and change the link")).to_have_count(0)
    asha.sheet.get_by_role("button", name="Show out", exact=True).click()
    tom.hears("put_out")
    assert not can_come_in(server, address, "Tom")
    asha.close_room()


def test_those_who_came_by_the_old_link_go_with_it_where_the_host_says_so(visit, server):
    asha, address, tom, maya = in_a_room_with_guests(visit, server, "Tom", "Maya")
    open_door_sheet(asha)
    asha.sheet.get_by_role("button", name="Change the link").click()
    asha.sheet.get_by_role("button", name="Change it, and show them out").click()
    for guest in (tom, maya):
        guest.hears("put_out")
    asha.page.keyboard.press("Escape")
    expect(asha.room.get_by_role("button", name=re.compile("More about"))).to_have_count(0)
    asha.close_room()


def test_nobody_but_the_host_is_offered_to_show_somebody_out(visit, server):
    asha, _, _ = in_a_room_with_guests(visit, server, "Tom")
    bilal = visit("bilal", server.address).sign_in()
    bilal.watch("An open house")
    expect(bilal.room.get_by_text("Tom", exact=True)).to_be_visible()
    expect(bilal.room.get_by_role("button", name=re.compile("More about"))).to_have_count(0)
    asha.close_room()


# --- Where there is none ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def party_without_doors():
    with running_server(PARTY_DOORS="no") as server:
        yield server


def test_where_the_owner_wants_no_doors_nobody_is_offered_one(visit, party_without_doors):
    asha = visit("asha", party_without_doors.address).sign_in()
    asha.page.get_by_role("button", name="Host a room").click()
    asha.sheet.get_by_role("textbox", name="Topic").fill("Among friends")
    expect(asha.sheet.get_by_role("radio", name="Friends")).to_have_count(0)
    asha.sheet.get_by_role("button", name="Open the room").click()
    expect(asha.room.get_by_text("Friends who open this link come straight to this room.")).to_be_visible()
    expect(asha.room.get_by_role("button", name="Let guests in by a link")).to_have_count(0)
    asha.open_menu().get_by_role("button", name="Invite").click()
    expect(asha.sheet.get_by_role("button", name="Copy the link")).to_be_visible()
    expect(asha.sheet.get_by_role("radio")).to_have_count(0)
    asha.page.keyboard.press("Escape")
    asha.close_room()
