"""Bots from the command line: made, changed, placed and removed, with a home of their own."""

import json

import pytest


@pytest.fixture(scope="module")
def frontdesk(frontdesk):
    (frontdesk.folder / "time-off.md").write_text("# Time off\n\nEverybody has 28 days of vacation.\n")
    frontdesk("ingest", "time-off.md", "--kb", "staff")
    return frontdesk


def test_a_bot_is_made_changed_placed_and_removed(frontdesk, folder):
    assert "There is no bot yet" in frontdesk("bot", "list").stdout
    (folder / "tone.txt").write_text("Be kind.\nBe brief.\n")
    made = json.loads(
        frontdesk(
            *("bot", "set", "hr", "--prompt", "@tone.txt", "--mode", "open", "--kb", "staff", "--temperature", "0.1"),
            *("--model", "large", "--model", "small", "--json"),
        ).stdout
    )
    assert (made["prompt"], made["mode"], made["knowledge_bases"]) == ("Be kind.\nBe brief.", "open", ["staff"])
    assert (made["models"], made["temperature"], made["version"]) == (["large", "small"], 0.1, 1)

    frontdesk("bot", "set", "hr", "--top-k", "3", "--kb", "")
    frontdesk("bot", "assign", "hr", "--platform", "slack", "--channel", "C1")
    shown = json.loads(frontdesk("bot", "show", "hr", "--json").stdout)
    assert shown == {
        **made,
        "top_k": 3,
        "knowledge_bases": [],
        "version": 2,
        "places": [{"platform": "slack", "channel": "C1"}],
    }
    assert "in C1 on slack" in frontdesk("bot", "list").stdout
    assert "Be brief." in frontdesk("bot", "show", "hr").stdout

    frontdesk("bot", "unassign", "--platform", "slack", "--channel", "C1")
    assert "nowhere yet" in frontdesk("bot", "list").stdout
    frontdesk("bot", "remove", "hr", "--yes")
    assert json.loads(frontdesk("bot", "list", "--json").stdout) == []


def test_a_threshold_decides_what_is_answered_until_it_is_taken_back(frontdesk):
    def origin():
        return json.loads(frontdesk("ask", "How many days of vacation are there?", "--json").stdout)["origin"]

    assert "threshold 1.5" in frontdesk("bot", "set", "default", "--threshold", "1.5").stdout
    assert origin() == "nothing found"
    unset = json.loads(frontdesk("bot", "set", "default", "--threshold", "default", "--json").stdout)
    assert unset["threshold"] is None
    assert "threshold default" in frontdesk("bot", "show", "default").stdout
    assert origin() == "documents"
    frontdesk("bot", "remove", "default", "--yes")


def test_the_mode_of_a_conversation_is_chosen(frontdesk):
    session = json.loads(frontdesk("ask", "How many days of vacation are there?", "--json").stdout)["session_id"]
    frontdesk("sessions", "mode", session[:8], "open")
    assert json.loads(frontdesk("sessions", "list", "--json").stdout)[0]["mode"] == "open"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["set", "hr", "--temperature", "3"], "temperature is 3.0; give a number from 0 to 2"),
        (["set", "hr", "--threshold", "2.1"], "threshold is 2.1; give a number from 0 to 2"),
        (["set", "hr", "--threshold", "high"], "threshold is 'high'; give a number from 0 to 2, or default"),
        (["set", "hr", "--kb", "nowhere"], "no knowledge base 'nowhere'; there are: staff"),
        (["set", "hr", "--prompt", "@nowhere.txt"], "cannot be read from nowhere.txt"),
        (["set", "hr", "--mode", "loose"], "grounded"),
        (["show", "hr"], "There is no bot 'hr'"),
        (["assign", "hr", "--platform", "slack"], "There is no bot 'hr'"),
        (["unassign", "--platform", "slack"], "No bot was assigned to slack"),
    ],
)
def test_a_wrong_call_is_one_line_that_says_what_to_do(frontdesk, arguments, says):
    done = frontdesk("bot", *arguments, code=2)
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
