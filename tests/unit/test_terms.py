import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.terms import count, terms

GERMAN = "Die Kündigungsfristen für Arbeitsverträge stehen in der Betriebsordnung, die jeder Mitarbeiter erhalten hat."
FRENCH = "Les salariés peuvent reporter leurs congés payés jusqu'à la fin du mois de mars de l'année suivante."
SPANISH = "Los empleados tienen derecho a veinte días de vacaciones y pueden solicitarlas en cualquier oficina."


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("401(k)", "401k"),
        ("VPN-2", "vpn2"),
        ("ISO-27001", "ISO27001"),
        ("e-mail", "Email"),
        ("co-pay", "copays"),
        ("$2,000", "2000"),
        ("café", "CAFE"),
        ("U.S.", "US"),
        ("employee’s", "employees"),
        ("ﬁling", "filing"),
        ("Ｗｉｆｉ", "wifi"),
    ],
)
def test_two_spellings_of_one_thing_give_the_same_terms(one, other):
    assert terms(one) == terms(other)


@pytest.mark.parametrize(("written", "asked"), [("VPN-2", "VPN 2"), ("ISO27001", "ISO 27001"), ("sign-in", "sign")])
def test_the_parts_of_an_identifier_are_found_too(written, asked):
    assert set(terms(asked)) <= set(terms(written))


def test_stop_words_and_question_words_are_left_out():
    assert terms("What is the policy that we should follow for it, please?") == ["polici", "follow"]
    assert terms("Don't you know why I can't?") == []


def test_numbers_with_points_stay_whole():
    assert terms("version 3.11 costs 2.5%") == ["version", "3.11", "cost", "2.5"]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (GERMAN, "Wie lang ist die Kündigungsfrist im Arbeitsvertrag?"),
        (GERMAN, "Wo steht die Kuendigungsfrist für den Mitarbeiter?"),
        (FRENCH, "Quand le salarié peut-il reporter un congé payé ?"),
        (FRENCH, "Jusqu'à quel mois de l'annee puis-je reporter mes conges?"),
        (SPANISH, "¿Cuántos días de vacación tiene un empleado?"),
    ],
)
def test_questions_meet_inflected_words_of_their_language(text, question):
    assert len(set(terms(text)) & set(terms(question))) >= 2


@pytest.mark.parametrize(
    ("text", "language"),
    [(GERMAN, "de"), (FRENCH, "fr"), (SPANISH, "es"), ("The employees are paid in the last week of a month.", "en")],
)
def test_stop_words_vote_for_the_language(text, language):
    assert terms(text) == terms(text, language)


def test_an_unknown_language_is_not_stemmed():
    assert terms("kurumsal izinler", "tr") == ["kurumsal", "izinler"]


@pytest.mark.parametrize(
    ("text", "part"), [("有給休暇の申請", "休暇"), ("ลาพักร้อนได้กี่วัน", "พัก"), ("휴가를 신청합니다", "휴가")]
)
def test_scripts_without_spaces_are_found_by_a_part(text, part):
    assert set(terms(part)) & set(terms(text))


def test_words_with_vowel_signs_stay_whole():
    assert terms("छुट्टी की नीति") == ["छुट्टी", "की", "नीति"]


def test_count_counts_terms():
    assert count("A plan, two plans.") == {"plan": 2, "two": 1}


@given(st.text(max_size=200))
def test_terms_are_short_lower_case_words(text):
    for term in terms(text):
        assert term
        assert len(term) <= 64
        assert not any(character.isspace() for character in term)


@given(st.text(alphabet=st.sampled_from("aéIß1-.'’/() İǅ東の"), max_size=60))
def test_case_does_not_matter(text):
    assert terms(text.lower()) == terms(text)


@pytest.mark.parametrize("unit", ["x", "b'", "ab-", "東", "1.", "1,000", "a1"])
def test_a_very_long_text_without_spaces_is_handled(unit):
    assert terms(unit * (100_000 // len(unit)))
