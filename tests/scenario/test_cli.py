"""The command line as a person at a terminal and a script use it: real processes, a home of their own."""

import json
import os
from pathlib import Path

import pytest

TIME_OFF = """# Time off

## Vacation

Full-time employees have 28 days of paid vacation in a calendar year.

## Part-time work

Part-time employees have vacation in proportion to their contracted hours.
"""

TRAVEL = """# Travel policy

## Meals

Lunch is reimbursed up to 18 euro a day on a business trip.
"""


@pytest.fixture(scope="module")
def documents(folder, frontdesk):
    docs = folder / "documents"
    docs.mkdir()
    (docs / "time-off.md").write_text(TIME_OFF)
    (docs / "travel.md").write_text(TRAVEL)
    (docs / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    (docs / "empty.txt").write_text("   \n")
    (docs / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    done = frontdesk("ingest", docs, "--kb", "staff", "--json")
    return {Path(row["source"]).name: row for row in json.loads(done.stdout)}


def test_every_file_ends_with_an_outcome_and_the_bad_ones_with_a_reason(documents):
    assert {name: row["outcome"] for name, row in documents.items()} == {
        "time-off.md": "indexed",
        "travel.md": "indexed",
        "broken.pdf": "refused",
        "empty.txt": "no text found",
        "photo.png": "refused",
    }
    assert all(row["reason"] for row in documents.values() if row["outcome"] != "indexed")


def test_the_same_bytes_again_cost_nothing_and_the_bad_files_are_named_again(frontdesk, folder, documents):
    done = frontdesk("ingest", folder / "documents", "--kb", "staff")
    assert "2 unchanged, 1 no text found, 2 refused (0 chunks)" in done.stdout
    assert "broken.pdf" in done.stdout


def test_an_answer_names_its_source_and_its_page_of_the_conversation(frontdesk, documents):
    answer = json.loads(frontdesk("ask", "How many vacation days do I get?", "--json").stdout)
    assert "28 days" in answer["text"]
    assert answer["citations"][0]["label"] == "Time off › Vacation"
    follow_up = json.loads(
        frontdesk("ask", "and for part-timers?", "--session", answer["session_id"][:8], "--json").stdout
    )
    assert "proportion" in follow_up["text"]
    history = frontdesk("sessions", "history", answer["session_id"][:8]).stdout
    assert "How many vacation days do I get?" in history
    assert "and for part-timers?" in history


def test_a_question_without_an_answer_becomes_a_ticket_that_a_person_answers(frontdesk, documents):
    answer = json.loads(frontdesk("ask", "Can I bring my dog to the office?", "--json").stdout)
    number = answer["ticket_number"]
    assert (answer["origin"], answer["resolved"]) == ("nothing found", False)
    assert "dog" in frontdesk("tickets", "list").stdout
    assert "dog" in frontdesk("tickets", "show", number).stdout
    frontdesk("tickets", "answer", number, "Yes, on Fridays.")
    assert "Yes, on Fridays." in frontdesk("sessions", "history", answer["session_id"]).stdout
    frontdesk("tickets", "close", number)
    assert json.loads(frontdesk("tickets", "show", number, "--json").stdout)["state"] == "closed"


def test_a_conversation_through_a_pipe(frontdesk, documents):
    done = frontdesk(
        "chat", stdin="Hi!\nUp to how much is lunch reimbursed?\n/histroy\n/history\n/new\n/history\n/quit\nx\n"
    )
    assert "18 euro" in done.stdout
    assert "Travel policy › Meals" in done.stdout
    assert "Did you mean `/history`?" in done.stdout
    assert done.stdout.count("Up to how much is lunch reimbursed?") == 1  # by the first /history
    assert done.stdout.rstrip().endswith("Nothing has been said in this conversation yet.")


def test_sessions_are_renamed_marked_cleared_and_deleted(frontdesk, documents):
    session = json.loads(frontdesk("ask", "Up to how much is lunch?", "--json").stdout)["session_id"][:8]
    frontdesk("sessions", "rename", session, "Lunch money")
    frontdesk("sessions", "favourite", session)
    first = json.loads(frontdesk("sessions", "list", "--json").stdout)[0]
    assert (first["title"], first["favourite"]) == ("Lunch money", True)
    frontdesk("sessions", "clear", session)
    assert "Nothing was said" in frontdesk("sessions", "history", session).stdout
    frontdesk("sessions", "delete", session)
    frontdesk("sessions", "history", session, code=2)


def test_a_knowledge_base_is_listed_scoped_and_removed(frontdesk, folder):
    (folder / "it.md").write_text("# Printers\n\nPrinters are on the second floor.")
    frontdesk("ingest", folder / "it.md", "--kb", "it")
    assert "it.md" in frontdesk("kb", "show", "it").stdout
    frontdesk("kb", "scope", "it", "--platform", "slack", "--channel", "C1")
    scoped = next(kb for kb in json.loads(frontdesk("kb", "list", "--json").stdout) if kb["name"] == "it")
    assert (scoped["platforms"], scoped["channels"]) == (["slack"], ["C1"])
    assert (
        json.loads(frontdesk("ask", "Where are printers?", "--kb", "it", "--json").stdout)["origin"] == "nothing found"
    )
    frontdesk("kb", "remove", "it", folder / "it.md", "--yes")
    frontdesk("kb", "remove", "it", "--yes")
    assert "it" not in [kb["name"] for kb in json.loads(frontdesk("kb", "list", "--json").stdout)]


def test_a_file_that_is_gone_is_forgotten_when_asked(frontdesk, folder):
    docs = folder / "synced"
    docs.mkdir()
    (docs / "one.txt").write_text("The first rule is to be kind.")
    (docs / "two.txt").write_text("The second rule is to be on time.")
    frontdesk("ingest", docs, "--kb", "synced")
    (docs / "one.txt").unlink()
    frontdesk("ingest", docs, "--kb", "synced", "--sync")
    shown = json.loads(frontdesk("kb", "show", "synced", "--json").stdout)["documents"]
    assert [Path(document["source"]).name for document in shown] == ["two.txt"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["ingest", "no-such-file.pdf"], "no file or folder no-such-file.pdf"),
        (["ask", ""], "The question is empty"),
        (["ask", "Hello?", "--kb", "nowhere"], "no knowledge base 'nowhere'"),
        (["ask", "Hello?", "--session", "ffffffff"], "no session ffffffff"),
        (["kb", "show", "nowhere"], "no knowledge base 'nowhere'"),
        (["tickets", "show", "999"], "no ticket 999"),
        (["tickets", "show", "one"], "valid integer"),
        (["nonsense"], "nonsense"),
        (["migrate"], "DATABASE_URL is not set"),
    ],
)
def test_a_wrong_call_is_one_line_that_says_what_to_do_and_exit_code_2(frontdesk, arguments, says):
    done = frontdesk(*arguments, code=2)
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_a_question_of_two_megabytes_is_refused(frontdesk):
    done = frontdesk("ask", "-", code=2, stdin="why " * 500_000)
    assert "the limit is 8,000" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("TOP_K", "many"), ("TICKETS", "maybe"), ("DATABASE_URL", "mysql://x"), ("FETCH_ALLOW_NETWORKS", "x")],
)
def test_a_wrong_setting_is_named(frontdesk, name, value):
    done = frontdesk("kb", "list", code=2, **{name: value})
    assert name in done.stderr
    assert ".env.example" in done.stderr


def test_a_database_that_is_gone_is_one_line_and_exit_code_1(frontdesk):
    done = frontdesk("ask", "Hello there, who pays?", code=1, DATABASE_URL="postgresql://x:secret@127.0.0.1:1/nowhere")
    assert "127.0.0.1:1/nowhere does not answer" in done.stderr
    assert "secret" not in done.stderr


def test_check_says_what_is_in_use_and_what_is_missing(frontdesk):
    parts = {part["part"]: part for part in json.loads(frontdesk("check", "--json").stdout)}
    assert "embedded PostgreSQL 18" in parts["database"]["used"]
    assert "DATABASE_URL" in parts["database"]["missing"]
    assert "MiniLM" in parts["embedder"]["used"]
    gone = frontdesk("check", code=1, DATABASE_URL="postgresql://x:y@127.0.0.1:1/nowhere")
    assert "not working" in gone.stdout


def test_commands_have_help(frontdesk):
    for command in ([], ["kb", "scope"]):
        assert "--help" in frontdesk(*command, "--help").stdout


def test_brackets_and_control_characters_in_names_and_texts_are_shown_and_do_nothing(frontdesk, folder):
    odd = folder / "odd [red]"
    odd.mkdir()
    (odd / "\x1b[31mfax.md").write_text("# Fax [/b] machine\n\nThe fax machine is on floor two [/x] of the tower.\n")
    Path(os.fsdecode(bytes(odd / "latin") + b"\xff.md")).write_text("text")
    assert "its name is not UTF-8" in frontdesk("ingest", odd, "--kb", "odd").stdout
    shown = frontdesk("kb", "show", "odd").stdout + frontdesk("ask", "Where is the fax machine?", "--kb", "odd").stdout
    assert "Fax [/b] machine" in shown
    assert "floor two [/x]" in shown
    assert "odd [red]" in shown
    assert "\x1b" not in shown
    frontdesk("ask", "What does [/b] mean for elephants?", "--kb", "odd")
    assert "[/b]" in frontdesk("tickets", "list").stdout


def test_a_folder_that_was_emptied_is_forgotten_when_asked(frontdesk, folder):
    docs = folder / "emptied"
    docs.mkdir()
    (docs / "gong.txt").write_text("The gong rings at noon.")
    frontdesk("ingest", docs, "--kb", "emptied")
    (docs / "gong.txt").unlink()
    assert "removed, its file is gone" in frontdesk("ingest", docs, "--kb", "emptied", "--sync").stderr
    assert json.loads(frontdesk("kb", "show", "emptied", "--json").stdout)["documents"] == []


def test_a_scope_keeps_what_is_not_named_and_a_knowledge_base_has_a_name(frontdesk, folder, documents):
    frontdesk("ingest", folder / "documents" / "travel.md", "--kb", "scoped")
    frontdesk("kb", "scope", "scoped", "--platform", "slack", "--channel", "C1")
    kept = json.loads(frontdesk("kb", "scope", "scoped", "--platform", "console", "--json").stdout)
    assert (kept["platforms"], kept["channels"]) == (["console"], ["C1"])
    assert json.loads(frontdesk("kb", "scope", "scoped", "--channel", "", "--json").stdout)["channels"] == []
    frontdesk("kb", "scope", "scoped", code=2)
    frontdesk("ingest", folder / "documents", "--kb", "", code=2)


def test_a_password_that_is_not_encoded_is_not_shown(frontdesk):
    done = frontdesk("kb", "list", code=2, DATABASE_URL="postgresql://fd:s3cret#x@localhost:1/x")
    assert "percent-encode" in done.stderr
    assert "s3cret" not in done.stderr


def test_secrets_in_a_persons_answer_are_hidden_too(frontdesk, documents):
    number = json.loads(frontdesk("ask", "Is there a swimming pool on the roof?", "--json").stdout)["ticket_number"]
    assert "card number" in frontdesk("tickets", "answer", number, "Pay with 4111 1111 1111 1111.").stdout
    assert "4111" not in frontdesk("tickets", "show", number).stdout
