"""The language of a message is guessed where something speaks for one, and kept where nothing does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.language import detect, follow, name_of

SENTENCES = [
    ("How many days of leave do I have?", "en"),
    ("i cant log in to the vpn", "en"),
    ("Where is the Zürich office?", "en"),
    ("What does the El Niño clause in our contract say?", "en"),
    ("How do I write спасибо in an e-mail to a customer?", "en"),
    ("Wie viele Urlaubstage habe ich?", "de"),
    ("wo kann ich parken", "de"),
    ("Ist das Homeoffice während der Probezeit erlaubt?", "de"),
    ("Mein Laptop startet nicht", "de"),
    ("Was heisst das für mich", "de"),
    ("Combien de jours de congé ai-je ?", "fr"),
    ("Où se trouve l’imprimante ?", "fr"),
    ("qu'est-ce que je dois faire", "fr"),
    ("Mon ordinateur ne démarre plus", "fr"),
    ("¿Cuántos días de vacaciones tengo?", "es"),
    ("donde puedo aparcar el coche", "es"),
    ("No puedo entrar en mi cuenta", "es"),
    ("Quanti giorni di ferie ho?", "it"),
    ("Dov'è la stampante?", "it"),
    ("non riesco ad accedere alla mia casella", "it"),
    ("Quantos dias de férias eu tenho?", "pt"),
    ("onde posso estacionar o meu carro", "pt"),
    ("Não consigo entrar na minha conta", "pt"),
    ("Hoeveel vakantiedagen heb ik?", "nl"),
    ("waar kan ik mijn auto parkeren", "nl"),
    ("Mijn laptop start niet op", "nl"),
    ("Hvor mange feriedage har jeg, og hvad skal jeg gøre?", "da"),
    ("Hva skal jeg gjøre når jeg blir syk?", "nb"),
    ("Hur många semesterdagar har jag och vad gäller?", "sv"),
    ("Kuinka monta lomapäivää minulla on, ja mistä se näkyy?", "fi"),
    ("Ile dni urlopu mam i gdzie mogę to sprawdzić?", "pl"),
    ("Kolik dní dovolené mám a kde je to napsané?", "cs"),
    ("Bu yıl kaç gün iznim var?", "tr"),
    ("Bagaimana saya bisa mengajukan cuti?", "id"),
    ("Câte zile de concediu am și unde pot vedea?", "ro"),
    ("Hány nap szabadságom van és hol látom?", "hu"),
    ("Kiek atostogų dienų aš turiu ir kur jos yra?", "lt"),
    ("Koliko dana odmora imam i gdje mogu vidjeti?", "hr"),
    ("Tôi có bao nhiêu ngày nghỉ?", "vi"),
    ("Сколько дней отпуска мне положено?", "ru"),
    ("Скільки днів відпустки я маю?", "uk"),
    ("Колко дни отпуск имам според договора ъ?", "bg"),
    ("Колико дана одмора имам и где то пише? Ђорђе", "sr"),
    ("Менің қанша демалыс күнім бар?", "kk"),
    ("Πόσες ημέρες άδειας έχω;", "el"),
    ("كم يوم إجازة لدي؟", "ar"),
    ("چند روز مرخصی دارم؟", "fa"),
    ("میرے پاس کتنی چھٹیاں ہیں؟", "ur"),
    ("כמה ימי חופשה יש לי?", "he"),
    ("मेरी कितनी छुट्टियाँ हैं?", "hi"),
    ("ฉันมีวันลากี่วัน", "th"),
    ("我有多少天年假？", "zh"),
    ("VPN 连不上怎么办", "zh"),
    ("有給休暇は何日ありますか", "ja"),
    ("휴가가 며칠 있나요?", "ko"),
    ("Քանի՞ օր արձակուրդ ունեմ", "hy"),
    ("რამდენი დღე შვებულება მაქვს", "ka"),
]

UNDECIDED = [
    "",
    " \n",
    "ok",
    "VPN",
    "hotel?",
    "42",
    "👍",
    "...",
    "no",
    "HTTP 404",
    "Berlin",
]


@pytest.mark.parametrize(("text", "language"), SENTENCES)
def test_a_sentence_shows_its_language_whatever_was_spoken_before(text: str, language: str) -> None:
    assert [detect(text, default=default) for default in ("en", "de", "xx")] == [language] * 3


@pytest.mark.parametrize("text", UNDECIDED)
def test_where_nothing_speaks_for_a_language_the_last_one_stands(text: str) -> None:
    assert [detect(text, default=default) for default in ("en", "de", "ja")] == ["en", "de", "ja"]


def test_an_author_who_changes_the_language_is_followed() -> None:
    german = ["Wie viele Urlaubstage habe ich?", "ok", "VPN?"]
    assert follow(german) == "de"
    assert follow([*german, "and how do I apply for leave?"]) == "en"
    assert follow([], default="fr") == "fr"


def test_every_language_has_a_name_for_a_model() -> None:
    assert [name_of(code) for code in ("de", "zh", "nb")] == ["German", "Chinese", "Norwegian"]
    assert all(name_of(language).istitle() for _, language in SENTENCES)
    assert name_of("xx") == "xx"


@given(st.text(max_size=2_000), st.sampled_from(["en", "de", "xx"]))
def test_any_text_has_a_language_with_a_name_or_the_default(text: str, default: str) -> None:
    found = detect(text, default=default)
    assert found == default or name_of(found) != found


@given(st.text(max_size=700))
def test_only_the_beginning_of_a_text_is_read(text: str) -> None:
    start = "Wie viele Urlaubstage habe ich? " * 20
    assert detect(start + text) == detect(start) == "de"
