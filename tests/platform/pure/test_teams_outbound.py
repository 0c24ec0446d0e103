"""Answers as activities: what is on the wire is what these dicts say."""

import json
import re
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.teams import cards
from adapters.teams.inbound import Scope
from adapters.teams.invoked import Button
from adapters.teams.limits import MESSAGE_UNITS
from adapters.teams.outbound import (
    addressed,
    consent,
    file_info,
    final,
    informative,
    message_of,
    render,
    streaming,
    typing,
    units_of,
    welcome,
)
from core import wording
from core.documents import Citation
from core.domain import Answer, Origin, TicketState

URL = "https://wiki.example/a"


def citation(number, source=URL, label="Travel policy › Meals, p. 4", quote="Lunch is paid."):
    return Citation(number, 1, number, label, source, None, quote)


SOURCES = (citation(1),)


def answer(text="28 days [1].", citations=SOURCES, origin=Origin.DOCUMENTS, **more):
    return Answer(text, origin, None, citations, **{"model": "m", **more})


def root(activity):
    (found,) = [one for one in activity.get("entities", ()) if one["type"] == "https://schema.org/Message"]
    return found


def buttons(activity):
    contents = [item["content"] for item in activity.get("attachments", ())]
    return [action for card in contents for element in card["body"] for action in element.get("actions", ())]


def test_an_answer_with_a_source():
    (sent,) = render(answer(), Scope.PERSONAL)
    assert (sent["type"], sent["text"], sent["textFormat"]) == ("message", "28 days [1].", "markdown")
    assert root(sent) == {
        "type": "https://schema.org/Message",
        "@type": "Message",
        "@context": "https://schema.org",
        "@id": "",
        "additionalType": ["AIGeneratedContent"],
        "citation": [
            {
                "@type": "Claim",
                "position": 1,
                "appearance": {
                    "@type": "DigitalDocument",
                    "name": "Travel policy › Meals, p. 4",
                    "abstract": "Lunch is paid.",
                    "url": URL,
                },
            }
        ],
    }
    assert sent["channelData"] == {"feedbackLoop": {"type": "default"}}
    (human,) = buttons(sent)
    assert (human["type"], human["verb"], human["fallback"]["type"]) == ("Action.Execute", "human", "Action.Submit")
    assert human["data"] == human["fallback"]["data"] == {"frontdesk": "human"}


def test_the_label_is_for_what_a_model_wrote():
    (sent,) = render(answer(model=""), Scope.PERSONAL)
    assert "additionalType" not in root(sent)
    (sent,) = render(Answer("All right.", Origin.SMALL_TALK, None), Scope.PERSONAL)
    assert set(sent) == {"type", "text", "textFormat"}


def test_limits_of_citations_are_kept():
    long = [citation(n, label="l" * 100, quote="q " * 200) for n in range(1, 14)]
    text = " ".join(f"[{n}]" for n in range(1, 14))
    (sent,) = render(answer(text, tuple(long)), Scope.PERSONAL)
    claims = root(sent)["citation"]
    assert [claim["position"] for claim in claims] == list(range(1, 11))
    assert all(len(claim["appearance"]["name"]) <= 80 for claim in claims)
    assert all(0 < len(claim["appearance"]["abstract"]) <= 160 for claim in claims)
    assert "Sources:" in sent["text"]
    assert f"[13] [{'l' * 100}]({URL})" in sent["text"]


def test_a_source_without_an_address_is_shown_in_the_card():
    (sent,) = render(answer(citations=(citation(1, source="/srv/policy.md"),)), Scope.PERSONAL)
    assert "url" not in root(sent)["citation"][0]["appearance"]
    shown, human = buttons(sent)
    assert (shown["type"], shown["title"]) == ("Action.ShowCard", "[1] Travel policy › Meals, p. 4")
    assert shown["card"]["body"][1]["text"] == "Lunch is paid."
    assert human["verb"] == "human"


def test_the_buttons_of_many_passages_do_not_crowd_out_the_others():
    sources = tuple(citation(n, source="/srv/policy.md") for n in range(1, 14))
    (sent,) = render(answer(citations=sources), Scope.PERSONAL)
    sets = [element["actions"] for element in sent["attachments"][0]["content"]["body"] if "actions" in element]
    assert [len(actions) for actions in sets] == [6, 4, 1]
    assert sets[-1][0]["verb"] == "human"


def test_a_private_answer_can_be_shared_where_others_are():
    private = answer(private=True)
    assert [one["verb"] for one in buttons(render(private, Scope.CHANNEL)[0])] == ["human", "share"]
    assert buttons(render(private, Scope.CHANNEL)[0])[0]["data"]["private"] is True
    assert [one["verb"] for one in buttons(render(private, Scope.PERSONAL)[0])] == ["human"]


def test_a_ticket_takes_the_place_of_the_buttons():
    nothing = answer("I opened ticket 7.", (), Origin.NOTHING_FOUND, ticket_number=7, model="", language="de")
    (sent,) = render(nothing, Scope.GROUP)
    (card,) = [item["content"] for item in sent["attachments"]]
    assert [block["text"] for block in card["body"]] == ["Ticket 7", "Ein Mensch wird hier antworten."]
    assert card["actions"][0]["data"] == {"number": 7, "language": "de", "frontdesk": "ticket"}


def test_a_persons_words_come_without_a_card_that_says_they_are_awaited():
    words = f"{wording.person_answered(7)}\n\nOnly a small one."
    (sent,) = render(answer(words, (), Origin.PERSON, ticket_number=7, model=""), Scope.PERSONAL)
    assert "attachments" not in sent


def test_a_ticket_that_is_over_asks_no_more():
    open_ = cards.ticket_card(7, TicketState.OPEN, "Why?", users=["29:a"] * 70)
    assert (open_["refresh"]["action"]["verb"], len(open_["refresh"]["userIds"])) == ("ticket", 60)
    closed = cards.ticket_card(7, TicketState.CLOSED, users=["29:a"])
    assert "actions" not in closed
    assert "refresh" not in closed


def test_a_long_answer_is_several_messages_each_with_its_own_citations():
    text = "\n\n".join(f"Paragraph {n} is {'long ' * 150}[{n % 3 + 1}]." for n in range(30))
    sent = render(answer(text, tuple(citation(n) for n in (1, 2, 3))), Scope.PERSONAL)
    assert len(sent) > 1
    assert all(units_of(one) <= MESSAGE_UNITS for one in sent)
    for one in sent:
        assert {f"[{claim['position']}]" for claim in root(one)["citation"]} == set(re.findall(r"\[\d\]", one["text"]))
    assert ["channelData" in one for one in sent] == [False] * (len(sent) - 1) + [True]
    assert "".join(text.split()) == "".join("".join(one["text"] for one in sent).split())


@given(
    st.text(max_size=300).map(lambda text: text * 40),
    st.text(min_size=1, max_size=300),
    st.sampled_from(["/srv/x", URL + "?" + "q" * 1_500]),
)
def test_whatever_an_answer_says_every_message_fits(text, label, source):
    sources = tuple(citation(n, source=source, label=label, quote=label * 20) for n in range(1, 16))
    sent = render(answer(text + "[1][5]", sources), Scope.CHANNEL)
    assert sent
    assert all(units_of(one) <= MESSAGE_UNITS and one["text"] for one in sent)
    json.dumps(sent).encode()


def test_notices_are_shown_once():
    assert (
        render(answer(notice="No model <here>."), Scope.PERSONAL)[0]["text"]
        == "28 days [1].\n\n*No model &lt;here&gt;.*"
    )
    assert render(answer("Nothing.", (), notice="Nothing."), Scope.PERSONAL)[0]["text"] == "Nothing."


def test_a_stream_begins_grows_and_ends():
    numbers = count(1)
    assert informative("x" * 2_000, next(numbers))["text"] == "x" * 1_000
    assert streaming("One", next(numbers), "s1") == {
        "type": "typing",
        "text": "One",
        "entities": [{"type": "streaminfo", "streamType": "streaming", "streamSequence": 2, "streamId": "s1"}],
    }
    assert "streamId" not in streaming("One", 1)["entities"][0]
    ended = final(render(answer(), Scope.PERSONAL)[0], "s1")
    assert ended["entities"][0] == {"type": "streaminfo", "streamType": "final", "streamId": "s1"}
    assert (ended["type"], len(ended["entities"])) == ("message", 2)


def test_an_activity_says_where_it_goes():
    address = {"bot": "28:b", "bot_name": "F", "user": "29:u", "conversation": "19:c;messageid=1", "scope": "channel"}
    sent = addressed(message_of("x"), address, reply_to="5")
    assert (sent["from"]["id"], sent["conversation"]["id"], sent["replyToId"]) == ("28:b", "19:c;messageid=1", "5")
    assert "recipient" not in sent
    assert addressed(typing(), {**address, "private": True})["recipient"] == {"id": "29:u", "isTargeted": True}
    assert "recipient" not in addressed(typing(), {**address, "private": True, "scope": "personal"})


@pytest.mark.parametrize("language", ["en", "de", "es", "fr"])
def test_a_welcome_suggests_what_to_ask(language):
    greeting = welcome(Scope.PERSONAL, language, user="29:u")
    actions = greeting["suggestedActions"]["actions"]
    assert [one["value"] for one in actions] == ["help", "new", "human"]
    assert greeting["suggestedActions"]["to"] == ["29:u"]
    assert "suggestedActions" not in welcome(Scope.CHANNEL, language)
    assert len({one["title"] for one in actions}) == 3


def test_titles_are_literal_in_cards():
    assert cards.text_block("<at>a</at> *b*")["text"] == "&lt;at&gt;a&lt;/at&gt; \\*b\\*"
    assert cards.cut("a  b\n" * 50, 10) == "a b a b a…"


def test_invokes_are_answered_in_their_own_shape():
    card = cards.make_card([cards.text_block("x")])
    assert cards.invoke_card(card)["type"] == cards.CARD_TYPE
    assert cards.invoke_message("done")["value"] == "done"
    assert cards.invoke_error(400, "no")["value"] == {"code": "400", "message": "no"}
    form = cards.invoke_form(cards.feedback_form("dislike", "de"), "t")
    assert form["task"]["value"]["card"]["content"]["body"][0]["id"] == "feedbackText"
    assert cards.button(Button.SHARE, "t", {"a": 1})["data"] == {"a": 1, "frontdesk": "share"}


def test_a_file_is_offered_and_shown():
    offered = consent("export.json", "Your conversations", 12, {"outbox": 3})["attachments"][0]
    assert (offered["name"], offered["content"]["acceptContext"]) == ("export.json", {"outbox": 3})
    shown = file_info("export.json", "https://x.example", "u1", "json")["attachments"][0]
    assert shown["content"] == {"uniqueId": "u1", "fileType": "json"}
