"""The page makes people notice what concerns them, and never nags."""

import re

import pytest
from playwright.sync_api import expect
from visitor import people_without_a_page

from runtime import assets

# What a test cannot see or hear: whether the page is looked at, what it plays, what it tells the system.
SENSES = """
let isAway = Boolean(sessionStorage.getItem('away'));
Object.defineProperty(document, 'hidden', { get: () => isAway });
Object.defineProperty(document, 'visibilityState', { get: () => (isAway ? 'hidden' : 'visible') });
globalThis.lookAway = (away) => {
  isAway = away;
  sessionStorage.setItem('away', away ? 'yes' : '');
  document.dispatchEvent(new Event('visibilitychange'));
};

globalThis.senses = { players: 0, rings: 0, notes: 0, notifications: [], questions: 0, badge: null, claims: [] };

globalThis.AudioContext = class extends AudioContext {
  constructor() { super(); senses.players += 1; }
  resume() { senses.rings += 1; return super.resume(); }
};
const { start } = AudioScheduledSourceNode.prototype;
AudioScheduledSourceNode.prototype.start = function (at) { senses.notes += 1; start.call(this, at); };

const { request } = LockManager.prototype;
LockManager.prototype.request = function (name, ...more) {
  senses.claims.push(name);
  return request.call(this, name, ...more);
};

navigator.setAppBadge = async (count) => { senses.badge = count; };

globalThis.Notification = class {
  static permission = PERMISSION;
  static async requestPermission() { senses.questions += 1; return (this.permission = ANSWER); }
  constructor(title, options) { Object.assign(this, { title, ...options }); senses.notifications.push(this); }
  close() { this.isClosed = true; }
};
"""


@pytest.fixture
def attend(visit):
    """Somebody whose page's sounds and notifications a test can tell. They have touched the page."""

    def attend(name, permission="default", answer="granted", wants_notifications=False):
        visitor = visit(name)
        script = SENSES.replace("PERMISSION", repr(permission)).replace("ANSWER", repr(answer))
        visitor.context.add_init_script(f"{{{script}}}")
        if wants_notifications:
            visitor.context.add_init_script("localStorage.setItem('party notifications', 'true')")
        return visitor.sign_in()

    return attend


@pytest.fixture
def asha(attend):
    asha = attend("asha", permission="granted", wants_notifications=True)
    touch(asha)
    return asha


@pytest.fixture
def others(party):
    with people_without_a_page(party.address, "bilal", "chen", "dana") as people:
        yield people
        for person in people:
            for view in person.heard("room"):
                if view["host"] == person.name:
                    person.close(view["id"])


def touch(visitor):
    expect(visitor.page.get_by_role("button", name="Host a room")).to_be_enabled()
    visitor.page.get_by_role("heading", level=1).click()


def sense(page, name):
    """What came of all that the page has noticed so far. It asks for locks, and answers come in their order: what
    followed from the first answer has been asked for when the second one is here."""
    for _ in range(2):
        page.evaluate("navigator.locks.request('a test', () => {})")
    return page.evaluate("name => senses[name]", name)


def claims(page, what):
    return [name for name in sense(page, "claims") if name.startswith(what)]


def wait_for(page, condition, **how):
    page.wait_for_function(f"() => {condition}", **how)


def room_of(visitor):
    return visitor.page.url.rpartition("=")[2]


def look_away(page, away=True):
    page.evaluate("away => lookAway(away)", away)


def choice(visitor, name):
    """A switch behind one's own face in the lobby, or in a room behind "More"."""
    if not visitor.sheet.is_visible():
        visitor.page.get_by_role("button", name=re.compile("^More$|choices, and sign out")).click()
    return visitor.sheet.get_by_role("switch", name=name)


def test_a_host_hears_each_request_wherever_they_are(asha, others):
    bilal, chen, dana = others
    asha.host("Tea")
    tea = room_of(asha)
    asha.writing.fill("Half a thought")
    bilal.request(tea)
    expect(asha.page.get_by_text("bilal asks to speak.")).to_be_visible()
    wait_for(asha.page, "senses.notes === 2")
    expect(asha.writing).to_be_focused()

    asha.leave()
    bilal.withdraw(tea)
    expect(asha.card("Tea").get_by_text("asks to speak")).to_have_count(0)
    bilal.request(tea)
    expect(asha.page.get_by_text("bilal asks to speak: Tea")).to_be_visible()
    wait_for(asha.page, "senses.notes === 4")

    chen.host("Coffee")
    asha.watch("Coffee")
    dana.request(tea)
    expect(asha.page.get_by_text("dana asks to speak: Tea")).to_be_visible()
    wait_for(asha.page, "senses.notes === 6")
    assert not claims(asha.page, "notification"), "asha is looking"


def test_no_old_request_is_noticed_again_after_a_reload(asha, others):
    bilal, chen, _ = others
    asha.host("Reload")
    room = room_of(asha)
    bilal.request(room)
    wait_for(asha.page, "senses.notes === 2")
    look_away(asha.page)
    asha.page.reload()
    asha.room.get_by_role("heading", name="Reload").click()
    expect(asha.room.get_by_role("button", name="Let in bilal")).to_be_visible()
    assert not claims(asha.page, "notification") + claims(asha.page, "sound")
    chen.request(room)
    wait_for(asha.page, "senses.notifications.length === 1 && senses.rings === 1")


def test_who_is_let_in_hears_it_and_nobody_hears_what_they_did_themselves(asha, attend):
    bilal = attend("bilal")
    touch(bilal)
    asha.host("Let in")
    bilal.watch("Let in")
    bilal.ask()
    wait_for(asha.page, "senses.notes === 2")
    assert sense(bilal.page, "rings") == 0, "asking is bilal's own act"
    asha.approve("bilal")
    wait_for(bilal.page, "senses.notes === 2")
    bilal.say("Thank you")
    expect(asha.message("Thank you")).to_be_visible()
    asha.say("Go on")
    expect(bilal.message("Go on")).to_be_visible()
    assert sense(asha.page, "rings") == 1, "neither letting in nor a message rings"
    assert sense(bilal.page, "rings") == 1


def test_the_sound_can_be_switched_off_and_stays_off(asha, others):
    bilal, chen, _ = others
    choice(asha, "Sounds").uncheck()
    asha.page.keyboard.press("Escape")
    asha.host("Silence")
    room = room_of(asha)
    bilal.request(room)
    expect(asha.page.get_by_text("bilal asks to speak.")).to_be_visible()
    assert sense(asha.page, "rings") == 0
    asha.page.reload()
    expect(asha.writing).to_be_visible()
    sound = choice(asha, "Sounds")
    expect(sound).not_to_be_checked()
    chen.request(room)
    expect(asha.room.get_by_role("button", name="Let in chen", include_hidden=True)).to_be_attached()
    assert sense(asha.page, "rings") == 0
    sound.check()
    wait_for(asha.page, "senses.notes === 2")  # so that one knows it


def test_each_choice_is_the_same_in_the_lobby_and_in_a_room_and_kept_for_the_next_visit(attend):
    asha = attend("asha", permission="granted")
    usual = {
        "Sounds": True,
        "Tell me when I am not looking": False,
        "Show who is writing": True,
        "Listen without my name": False,
    }

    def switches():
        choice(asha, "Sounds")
        names = asha.sheet.get_by_role("switch").evaluate_all("all => all.map(({ ariaLabel }) => ariaLabel)")
        return {name: choice(asha, name).is_checked() for name in names}

    assert switches() == usual
    for name in usual:
        choice(asha, name).click()
    changed = {name: not is_on for name, is_on in usual.items()}
    assert switches() == changed
    asha.page.keyboard.press("Escape")
    asha.host("Choices")
    assert switches() == changed
    asha.page.goto("./")
    assert switches() == changed


def test_a_page_that_nobody_has_touched_does_not_try_to_be_heard(asha, others):
    asha.host("Untouched")
    asha.page.reload()
    expect(asha.room.get_by_role("heading", name="Untouched")).to_be_visible()
    others[0].request(room_of(asha))
    expect(asha.page.get_by_text("bilal asks to speak.")).to_be_visible()
    assert sense(asha.page, "players") == 0, "the browser would complain"


def test_the_browser_is_asked_after_a_click_that_says_what_for(attend):
    asha = attend("asha")
    notifications = choice(asha, "Tell me when I am not looking")
    expect(notifications).not_to_be_checked()
    unasked = "Your browser will ask you. Who and in which room, never what was written"
    expect(notifications).to_have_accessible_description(unasked)
    assert sense(asha.page, "questions") == 0
    notifications.check()
    expect(notifications).to_have_accessible_description("Who and in which room, never what was written")
    assert sense(asha.page, "questions") == 1
    notifications.uncheck()
    notifications.check()
    assert sense(asha.page, "questions") == 1


@pytest.mark.parametrize("answer, words", [("denied", "Your browser does not allow it"), ("default", "will ask you")])
def test_a_no_to_the_browser_is_a_no(attend, answer, words):
    asha = attend("asha", answer=answer)
    notifications = choice(asha, "Tell me when I am not looking")
    notifications.click()
    wait_for(asha.page, "senses.questions === 1")
    expect(notifications).to_have_accessible_description(re.compile(words))
    expect(notifications).not_to_be_checked()
    expect(notifications).to_be_enabled(enabled=answer != "denied")


def test_where_there_are_no_notifications_the_choice_says_so(visit):
    asha = visit("asha")
    asha.context.add_init_script("delete globalThis.Notification")
    notifications = choice(asha.sign_in(), "Tell me when I am not looking")
    expect(asha.sheet.get_by_text("That takes https")).to_be_visible()
    expect(notifications).to_be_disabled()


def test_who_looks_elsewhere_is_told_who_asks_and_where_but_no_words(asha, others):
    bilal, chen, _ = others
    asha.host("Elsewhere")
    expect(asha.page).to_have_title("Elsewhere – Discuss Party")
    room = room_of(asha)
    look_away(asha.page)
    bilal.request(room, pitch="A private word")
    wait_for(asha.page, "senses.notifications.length === 1")
    chen.request(room)
    wait_for(asha.page, "senses.notifications.length === 2")
    first, second = sense(asha.page, "notifications")
    assert (first["title"], first["body"]) == ("bilal asks to speak", "Elsewhere")
    assert second["title"] == "bilal and chen ask to speak", "it takes the first one's place"
    assert first["tag"] == second["tag"] and second["renotify"]
    assert "private" not in str(first)
    look_away(asha.page, False)
    wait_for(asha.page, "senses.notifications.every(({ isClosed }) => isClosed)")


def test_who_looks_elsewhere_is_told_that_they_may_speak(attend, others):
    chen = others[1]
    asha = attend("asha", permission="granted", wants_notifications=True)
    room = chen.host("Door")
    asha.watch("Door")
    asha.ask()
    look_away(asha.page)
    chen.approve(room, "asha")
    wait_for(asha.page, "senses.notifications.length === 1")
    [told] = sense(asha.page, "notifications")
    assert (told["title"], told["body"]) == ("You can speak now", "Door")


def test_who_is_mentioned_notices_it_each_time(asha, others):
    chen = others[1]
    room = chen.host("Names")
    asha.watch("Names")
    chen.message(room, "Is @asha here?")
    wait_for(asha.page, "senses.notes === 2")
    chen.message(room, "asha, are you?")
    expect(asha.message("asha, are you?")).to_be_visible()
    assert len(claims(asha.page, "sound")) == 1, "a name is no mention"
    look_away(asha.page)
    chen.message(room, "A private word, @asha")
    wait_for(asha.page, "senses.notifications.length === 1")
    [told] = sense(asha.page, "notifications")
    assert (told["title"], told["body"]) == ("chen mentioned you", "Names")
    assert "private" not in str(told)
    asha.page.reload()
    expect(asha.message("A private word")).to_be_visible()
    assert not claims(asha.page, "notification"), "what was said before"


def test_who_looks_elsewhere_is_told_of_the_last_five_minutes(asha):
    asha.page.clock.install()
    asha.page.reload()
    asha.host("Late")
    look_away(asha.page)
    asha.page.clock.fast_forward(int(25.1 * 60_000))
    wait_for(asha.page, "senses.notifications.length === 1")
    assert sense(asha.page, "notifications")[0]["title"] == "5 minutes left"
    assert not claims(asha.page, "sound")


def test_two_tabs_tell_once_and_not_who_looks_at_one_of_them(asha, others):
    bilal, chen, _ = others
    asha.host("Two tabs notice")
    first, second = asha.page, asha.new_tab()
    second.goto(first.url)
    second.get_by_role("heading", name="Two tabs notice").click()
    look_away(first)
    bilal.request(room_of(asha))
    for page in (first, second):
        wait_for(page, "senses.claims.some((name) => name.startsWith('sound'))")
    assert sum(sense(page, "rings") for page in (first, second)) == 1
    assert not claims(first, "notification") + claims(second, "notification")
    look_away(second)
    chen.request(room_of(asha))
    for page in (first, second):
        wait_for(page, "senses.claims.some((name) => name.startsWith('notification'))")
    assert sum(len(sense(page, "notifications")) for page in (first, second)) == 1


def test_a_click_on_the_notification_leads_to_the_room(asha, others):
    asha.host("Click")
    room = room_of(asha)
    asha.leave()
    look_away(asha.page)
    others[0].request(room)
    wait_for(asha.page, "senses.notifications.length === 1")
    asha.page.evaluate("senses.notifications[0].onclick()")
    expect(asha.room.get_by_role("heading", name="Click")).to_be_visible()


WIDTH = """
  async ({ href }) => {
    const image = Object.assign(new Image(), { src: href });
    await image.decode();
    return image.width;
  }
"""


def test_the_tab_counts_what_came_while_nobody_looked(asha, others):
    bilal = others[0]
    asha.host("Count")
    room = room_of(asha)
    icon = asha.page.locator("link[rel=icon]")
    bilal.request(room)
    asha.approve("bilal")
    bilal.hears("approved")
    bilal.message(room, "Seen")
    expect(asha.message("Seen")).to_be_visible()
    expect(asha.page).to_have_title("Count – Discuss Party")
    look_away(asha.page)
    bilal.message(room, "Unseen")
    bilal.message(room, "Unseen as well")
    expect(asha.page).to_have_title("(2) Count – Discuss Party")
    expect(icon).to_have_attribute("href", assets.ICON_UNSEEN)
    assert icon.evaluate(WIDTH) > 0, "an image, from no server"
    assert sense(asha.page, "badge") == 2
    assert sense(asha.page, "notifications")[1:] == [], "a message is no reason for a notification"
    look_away(asha.page, False)
    expect(asha.page).to_have_title("Count – Discuss Party")
    expect(icon).to_have_attribute("href", assets.ICON)
    assert sense(asha.page, "badge") == 0


def test_a_notification_of_the_browsers_own_is_shown(visit_in_whole_browser, others):
    """Without a stand-in: the options are such that a browser takes them."""
    asha = visit_in_whole_browser("asha")
    asha.context.grant_permissions(["notifications"])
    asha.context.add_init_script("""{
      localStorage.setItem('party notifications', 'true');
      Object.defineProperty(document, 'hidden', { get: () => true });
      globalThis.Notification = class extends Notification {
        constructor(...all) { super(...all); globalThis.real = this; this.onshow = () => (globalThis.wasShown = true); }
      };
    }""")
    asha.sign_in().host("Real")
    expect(asha.page).to_have_title("Real – Discuss Party")
    others[0].request(room_of(asha))
    wait_for(asha.page, "globalThis.wasShown")
    assert asha.page.evaluate("[real.title, real.body]") == ["bilal asks to speak", "Real"]
    asha.page.evaluate("real.close()")


def test_a_service_worker_shows_the_notification_where_there_is_one(visit_in_whole_browser, others):
    """Phones know no others."""
    asha = visit_in_whole_browser("asha", service_workers="allow")
    asha.context.grant_permissions(["notifications"])
    asha.context.add_init_script(f"{{{SENSES.partition('globalThis.senses')[0]}}}")
    asha.context.add_init_script("localStorage.setItem('party notifications', 'true')")
    asha.sign_in().host("Worker")
    expect(asha.page).to_have_title("Worker – Discuss Party")
    asha.page.evaluate("navigator.serviceWorker.ready")
    look_away(asha.page)
    others[0].request(room_of(asha))
    [told] = notifications_of_the_worker(asha.page, 1)
    assert told == ["bilal asks to speak", "Worker", asha.page.url]
    look_away(asha.page, False)
    notifications_of_the_worker(asha.page, 0)


def notifications_of_the_worker(page, count):
    """Waits until there are so many; gives what each says, and where it leads."""
    return page.evaluate(
        """async (count) => {
          const worker = await navigator.serviceWorker.ready;
          for (;;) {
            const shown = await worker.getNotifications();
            if (shown.length === count) return shown.map(({ title, body, data }) => [title, body, data.link]);
            await new Promise(requestAnimationFrame);
          }
        }""",
        count,
    )
