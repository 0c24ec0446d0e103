"""Small talk is answered with a fixed sentence; anything that could be a question never is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.routing import (
    LANGUAGES,
    MAX_CHARACTERS,
    REPLIES,
    SmallTalkKind,
    fold,
    read_vocabulary,
    reply,
    small_talk,
)

SMALL_TALK = [
    ("hi", "greeting", "en"),
    ("Hello!", "greeting", "en"),
    ("hiii", "greeting", "en"),
    ("helo", "greeting", "en"),
    ("HEY THERE!!!", "greeting", "en"),
    ("hi frontdesk", "greeting", "en"),
    ("Hello Front Desk :)", "greeting", "en"),
    ("good morning team", "greeting", "en"),
    ("gooood evening", "greeting", "en"),
    ("héllo 👋", "greeting", "en"),
    ("👋", "greeting", "en"),
    ("👋🏽👋🏽", "greeting", "en"),
    (":-)", "acknowledgement", "en"),
    ("👍", "acknowledgement", "en"),
    ("🙏", "thanks", "en"),
    ("👎", "complaint", "en"),
    ("ok", "acknowledgement", "en"),
    ("ah ok, got it", "acknowledgement", "en"),
    ("never mind", "acknowledgement", "en"),
    ("thx", "thanks", "en"),
    ("Thanks a lot for your help!", "thanks", "en"),
    ("ok great, thank you so much", "thanks", "en"),
    ("that's exactly what I needed", "thanks", "en"),
    ("well done", "praise", "en"),
    ("that was a really helpful answer", "praise", "en"),
    ("you are useless", "complaint", "en"),
    ("That’s not what I asked", "complaint", "en"),
    ("this didn't help", "complaint", "en"),
    ("bye", "goodbye", "en"),
    ("thanks, bye!", "goodbye", "en"),
    ("have a nice weekend", "goodbye", "en"),
    ("see you tomorrow", "goodbye", "en"),
    ("hi, how are you?", "how_are_you", "en"),
    ("how r u today", "how_are_you", "en"),
    ("what's up", "how_are_you", "en"),
    ("who are you?", "who_are_you", "en"),
    ("are you a bot or a human?", "who_are_you", "en"),
    ("What is your name?", "who_are_you", "en"),
    ("what can you do?", "what_can_you_do", "en"),
    ("Hi, can you help me?", "what_can_you_do", "en"),
    ("help", "what_can_you_do", "en"),
    ("I have a question", "what_can_you_do", "en"),
    ("Hallo zusammen", "greeting", "de"),
    ("Guten Morgen!", "greeting", "de"),
    ("moin", "greeting", "de"),
    ("Vielen Dank für die schnelle Hilfe", "thanks", "de"),
    ("dankeee", "thanks", "de"),
    ("Tschüss, schönes Wochenende!", "goodbye", "de"),
    ("Wie geht's?", "how_are_you", "de"),
    ("Wer bist du?", "who_are_you", "de"),
    ("Was kannst du alles?", "what_can_you_do", "de"),
    ("Das ist leider falsch", "complaint", "de"),
    ("Bonjour !", "greeting", "fr"),
    ("merci beaucoup pour votre aide", "thanks", "fr"),
    ("au revoir et bonne journée", "goodbye", "fr"),
    ("Comment ça va ?", "how_are_you", "fr"),
    ("Qui êtes-vous ?", "who_are_you", "fr"),
    ("Est-ce que vous pouvez m’aider ?", "what_can_you_do", "fr"),
    ("C'est nul", "complaint", "fr"),
    ("¡Hola!", "greeting", "es"),
    ("buenos días", "greeting", "es"),
    ("muchas gracias por la ayuda", "thanks", "es"),
    ("adiós, que tengas un buen día", "goodbye", "es"),
    ("¿Qué tal?", "how_are_you", "es"),
    ("¿Quién eres?", "who_are_you", "es"),
    ("¿Qué puedes hacer?", "what_can_you_do", "es"),
    ("eso no me sirve", "complaint", "es"),
]

QUESTIONS = [
    "hi, how many vacation days do I get?",
    "thanks, and for part-timers?",
    "Thanks! What about interns?",
    "hello world example in the API docs?",
    "hello world",
    "Good morning shift rules",
    "Good Friday opening hours",
    "how are you supposed to submit expenses?",
    "what can you do about a lost badge?",
    "Hi can you help me with my laptop",
    "I need help with the VPN",
    "who are you going to call in an emergency",
    "who is the data protection officer?",
    "how is the meal limit calculated",
    "what is your return policy",
    "what are your opening hours",
    "I want to talk to a human",
    "can I speak to a real person please",
    "is this real or fake?",
    "is this email real",
    "ok so who approves it",
    "great, and in winter?",
    "ok and then?",
    "thanks, and today?",
    "ok so?",
    "ok but why?",
    "danke, und heute?",
    "merci, et maintenant ?",
    "gracias, ¿y hoy?",
    "bye-laws",
    "thank you letter template",
    "goodbye gift limit",
    "night shift allowance",
    "later start on Mondays",
    "yes",
    "no",
    "42",
    "?",
    "...",
    "",
    " \n\t",
    "hallo, wie viele Urlaubstage habe ich?",
    "danke, und für Teilzeit?",
    "wie geht das mit der Reisekostenabrechnung?",
    "guten Tag, mein Passwort ist abgelaufen",
    "bonjour, combien de jours de congé ai-je ?",
    "merci, et pour les stagiaires ?",
    "comment ça marche pour le télétravail ?",
    "hola, ¿cuántos días de vacaciones tengo?",
    "gracias, ¿y para los becarios?",
    "¿cómo va el reembolso de mis gastos?",
    "你好",
    "привет",
]


@pytest.mark.parametrize(("text", "kind", "language"), SMALL_TALK)
def test_small_talk_is_recognised_with_its_language(text: str, kind: str, language: str) -> None:
    found = small_talk(text)
    assert found is not None
    assert (found.kind.value, found.language) == (kind, language)


def test_a_question_is_never_small_talk() -> None:
    assert [text for text in QUESTIONS if small_talk(text)] == []


@pytest.mark.parametrize("question", ["how many vacation days do I get?", "is my badge blocked", "VPN"])
def test_a_question_after_small_talk_is_still_a_question(question: str) -> None:
    texts = [f"{opening} {question}" for opening, _, language in SMALL_TALK if language == "en"]
    assert [text for text in texts if small_talk(text)] == []


def test_the_bot_answers_to_the_names_it_was_given() -> None:
    assert small_talk("hi Barometer") is None
    found = small_talk("hi Barometer", bot_names=["Barometer"])
    assert found is not None
    assert found.kind is SmallTalkKind.GREETING
    assert small_talk("Barometer", bot_names=["Barometer"]) is None


@given(st.text(max_size=300))
def test_any_text_can_be_asked(text: str) -> None:
    found = small_talk(text)
    assert found is None or len(text) <= MAX_CHARACTERS


WORDS = sorted(set().union(*(read_vocabulary(language).words for language in LANGUAGES)))


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_any_row_of_small_talk_words_is_read_without_error(text: str) -> None:
    found = small_talk(text)
    assert found is None or found.language in LANGUAGES


@given(st.text(min_size=MAX_CHARACTERS + 1))
def test_a_long_text_is_never_small_talk(text: str) -> None:
    assert small_talk("hi " + text) is None


def test_long_small_talk_is_a_question_too() -> None:
    assert small_talk("hi " * 40) is None
    assert small_talk("h" + "i" * MAX_CHARACTERS) is None


@given(st.text(max_size=80))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(" ".join(fold(text))) == fold(text)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_has_phrases_and_a_reply_in_every_language(language: str) -> None:
    kinds = {kind for phrases in read_vocabulary(language).starts.values() for kind, _ in phrases}
    assert kinds == {"filler", *SmallTalkKind}
    assert set(REPLIES) == set(SmallTalkKind)
    for kind in SmallTalkKind:
        assert 20 < len(reply(kind, language)) < 320
        assert language == "en" or reply(kind, language) != reply(kind, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_has_a_word_that_must_be_there(language: str) -> None:
    phrases = {phrase for phrases in read_vocabulary(language).starts.values() for _, phrase in phrases}
    assert [phrase for phrase in phrases if all(() in slot for slot in phrase)] == []


def test_a_language_without_replies_gets_the_english_ones() -> None:
    assert reply(SmallTalkKind.THANKS, "nl") == reply(SmallTalkKind.THANKS, "en")
