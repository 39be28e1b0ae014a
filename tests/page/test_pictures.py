from playwright.sync_api import expect
from visitor import PHONE, seat


def test_the_pictures_of_the_readme_can_be_taken(visit):
    """Writes the screenshots that the README shows; copy them to docs/ when the page has changed."""
    desktop = {"viewport": {"width": 960, "height": 640}}
    asha, chen = (visit(name, **desktop).sign_in() for name in ("asha", "chen"))
    bilal = visit("bilal", **PHONE | {"device_scale_factor": 1}).sign_in()
    bilal.host("What should we cook for forty people?", minutes=30)
    bilal.leave()
    chen.host("Is the four-day week worth it?", minutes=25)
    chen.leave()
    topic = "Which book changed how you see your town?"
    asha.host(topic)
    seat(asha, bilal, topic)
    asha.say("Mine is Invisible Cities. I read it on the tram and missed my stop three times.")
    expect(bilal.message("Invisible Cities")).to_be_visible()
    bilal.writing.fill("The Death and Life of Great American Cities. I count shop doors now.")
    bilal.room.get_by_role("button", name="Send").click()
    expect(asha.message("shop doors")).to_be_visible()
    asha.say("How many has our street?")
    expect(bilal.message("How many")).to_be_visible()
    bilal.writing.fill("Forty-one. It had sixty 📚")
    bilal.room.get_by_role("button", name="Send").click()
    expect(asha.message("Forty-one")).to_be_visible()
    chen.screenshot("lobby")
    chen.watch(topic)
    chen.screenshot("watcher")
    chen.ask("I have a book about our river")
    expect(asha.room.get_by_role("button", name="Approve chen")).to_be_visible()
    asha.screenshot("host")
    bilal.screenshot("phone")
    asha.close_room()
    for visitor, other in ((chen, "Is the four-day week worth it?"), (bilal, "What should we cook for forty people?")):
        visitor.leave()
        visitor.card(other).get_by_role("button", name="Go in").click()
        visitor.close_room()
