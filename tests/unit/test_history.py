"""A follow-up is told from a change of topic, and carries what it needs."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain import Origin, Role, Turn
from core.history import is_follow_up, last_question, stand_alone, transcript

HANDBOOK = json.loads((Path(__file__).parents[2] / "bots/handbook/questions.json").read_text("utf-8"))
WHEN = datetime(2026, 1, 1, tzinfo=UTC)

# Language, the question before, and what follows it.
FOLLOW_UPS = [
    (
        "en",
        "How many vacation days do I get?",
        [
            "and for part-timers?",
            "what about interns?",
            "how long?",
            "why?",
            "in Germany?",
            "And in the first year?",
            "How about working students?",
            "what if I am sick?",
            "Do they expire?",
            "Can I carry them over?",
            "Who approves it?",
            "when?",
            "per month?",
            "since when?",
            "Is there an exception?",
            "are there any exceptions",
            "during probation?",
            "without a doctor's note?",
            "and how many do part-timers get?",
            "ok, and for contractors?",
            "Does that include public holidays?",
            "same for apprentices?",
            "if I leave in June?",
            "How do I apply?",
        ],
    ),
    (
        "en",
        "What is the limit for dinner on a business trip?",
        [
            "is that per person?",
            "And if I invite a customer?",
            "What is it for lunch?",
            "how much exactly?",
            "Is this before or after tax?",
            "and without a receipt?",
            "What is the maximum?",
            "Whom do I ask?",
            "but not for alcohol?",
            "Do I need a receipt for that?",
            "What happens if it is more?",
            "What does it cost?",
            "and abroad?",
            "For contractors?",
            "Can you explain that?",
            "How much is it in Japan?",
            "Where do I hand it in?",
        ],
    ),
    (
        "en",
        "I lost my access badge. Whom do I call?",
        [
            "How much is a replacement?",
            "How long does it take?",
            "And on weekends?",
            "Is the first one free?",
            "What if it was stolen?",
            "What's the deadline?",
            "is it free",
        ],
    ),
    (
        "en",
        "How long is the warranty on a weather station?",
        [
            "Can I make it longer?",
            "and on a rain gauge?",
            "Does it cover lightning?",
            "What does it not cover?",
            "or a data logger?",
            "What is the process?",
        ],
    ),
    (
        "de",
        "Wie viele Urlaubstage bekomme ich?",
        [
            "und für Teilzeit?",
            "Und in der Probezeit?",
            "wie lange?",
            "warum?",
            "in Österreich?",
            "was ist mit Praktikanten?",
            "Gilt das auch für Werkstudenten?",
            "und wenn ich krank bin?",
            "ab wann?",
            "pro Jahr?",
            "Wie beantrage ich das?",
            "Verfallen sie?",
            "Kann ich ihn übertragen?",
            "bei Kündigung?",
            "Wer genehmigt das?",
            "Wie hoch ist das Maximum?",
            "Gibt es Ausnahmen?",
            "für Azubis auch?",
            "und wie ist das bei Teilzeit?",
        ],
    ),
    (
        "de",
        "Wie hoch ist die Hotelgrenze?",
        [
            "Ist das pro Person?",
            "oder pro Nacht?",
            "auch im Ausland?",
            "Was kostet das?",
            "Brauche ich dafür einen Beleg?",
            "mit Frühstück?",
        ],
    ),
    (
        "fr",
        "Combien de jours de congé ai-je ?",
        [
            "et pour les stagiaires ?",
            "pourquoi ?",
            "et à temps partiel ?",
            "combien de temps ?",
            "en Allemagne ?",
            "Qu'en est-il des apprentis ?",
            "C'est par an ?",
            "Puis-je les reporter ?",
            "et si je suis malade ?",
            "Qui doit l'approuver ?",
            "pour les intérimaires ?",
            "Est-ce que ça vaut aussi pour les alternants ?",
            "depuis quand ?",
            "Comment les demander ?",
            "Y a-t-il des exceptions ?",
            "pendant la période d'essai ?",
        ],
    ),
    (
        "es",
        "¿Cuántos días de vacaciones tengo?",
        [
            "¿y en agosto?",
            "¿y para los becarios?",
            "¿por qué?",
            "¿cuánto tiempo?",
            "¿en Alemania?",
            "¿Quién lo aprueba?",
            "¿Y si estoy enfermo?",
            "¿Qué pasa con los becarios?",
            "¿Es por año?",
            "¿Puedo guardarlos?",
            "¿desde cuándo?",
            "¿También para los becarios?",
            "¿Cómo las solicito?",
            "¿Hay excepciones?",
            "¿para media jornada?",
        ],
    ),
    (
        "en",
        "How many days a week may I work remotely?",
        [
            "And from abroad?",
            "is it the same for managers?",
            "do trainees have that too?",
            "which days?",
            "Who decides that?",
            "What if my manager says no?",
            "can it be refused?",
            "and my team lead?",
            "does this apply to contractors",
            "For how long?",
            "what are the conditions?",
            "And how do I ask for it?",
            "Only on Fridays?",
            "how does it work for new hires?",
            "are they counted?",
        ],
    ),
    (
        "en",
        "Who has to approve an order of EUR 8,000?",
        [
            "and 20,000?",
            "what about 500?",
            "And if she is on leave?",
            "how do I reach him?",
            "how long does that usually take?",
            "within a day?",
            "Can someone else do it?",
        ],
    ),
    (
        "de",
        "Wie lange ist die Garantie auf eine Wetterstation?",
        [
            "Kann man sie verlängern?",
            "und auf Regenmesser?",
            "Was ist davon ausgenommen?",
            "Und was kostet das?",
            "Wie geht das?",
            "Für Geschäftskunden auch?",
            "und wenn sie vom Blitz getroffen wird?",
            "Zählt das ab Lieferung?",
            "Welche Nachweise brauche ich dafür?",
            "wer ist zuständig?",
        ],
    ),
    (
        "fr",
        "Quel est le plafond pour un hôtel ?",
        [
            "et à Paris ?",
            "C'est par nuit ?",
            "avec petit-déjeuner ?",
            "Et si c'est plus cher ?",
            "Pourquoi si peu ?",
            "À qui dois-je le demander ?",
            "même chose pour les stagiaires ?",
            "Est-ce valable à l'étranger ?",
        ],
    ),
    (
        "es",
        "¿Cuál es el límite para un hotel?",
        [
            "¿y en París?",
            "¿por noche?",
            "¿con desayuno?",
            "¿Y si cuesta más?",
            "¿A quién se lo pido?",
            "¿Eso incluye el desayuno?",
            "¿lo mismo para becarios?",
            "¿es obligatorio?",
        ],
    ),
]
# Language, the question before, and questions that begin another topic.
CHANGES = [
    (
        "en",
        "How many vacation days do I get?",
        [
            "What is the dress code?",
            "How do I reset my password?",
            "Who do I call about a lost badge?",
            "Is there a dress code for customer visits?",
            "Is there a gym?",
            "Can I bring my dog to the office?",
            "When is the summer party?",
            "How much is lunch reimbursed?",
            "Where can I park my car?",
            "Is it possible to work from home?",
            "What is phishing?",
            "Who is the works council?",
            "In which cases do I need a medical certificate?",
            "At what time does the office open?",
            "If I am sick, when do I need a certificate?",
            "dress code",
            "How does the pension work?",
            "What does the pension cost me?",
            "On which days is the canteen open?",
            "When will I get a new laptop?",
            "My laptop is broken. What should I do?",
            "I forgot my password",
            "Does the company pay for my glasses?",
            "How big is my learning budget?",
            "Is there parking?",
            "For how long are invoices kept?",
            "With whom do I book business trips?",
            "and what is the dress code?",
            "and may I bring my dog?",
            "Also, can I bring my dog to the office?",
            "vpn setup",
            "How do I set up the VPN on my phone this week?",
            "What do I do if my badge is lost?",
            "Which badge colour opens the calibration hall?",
            "Who pays for parking?",
            "After how many years are laptops replaced?",
            "Can I see the doctor during working hours?",
            "What is the hotel limit in a capital city?",
            "what's the wifi password?",
            "How long is parental leave?",
            "Do interns get paid?",
            "Another question: how do I order business cards?",
            "What is the share price today?",
            "Whom do I tell about a phishing mail?",
        ],
    ),
    (
        "de",
        "Wie viele Urlaubstage bekomme ich?",
        [
            "Wie setze ich mein Passwort zurück?",
            "Gibt es eine Kantine?",
            "Was ist das Limit für Abendessen auf Dienstreisen?",
            "Wo kann ich parken?",
            "Können Sie mir sagen, wo die Kantine ist?",
            "Wie lange dauert die Elternzeit?",
            "Wann bekomme ich das neue Notebook?",
            "Darf ich meinen Hund mitbringen?",
            "Wer ist der Betriebsrat?",
            "Bei wem melde ich einen verlorenen Ausweis?",
            "In welchem Stock ist die IT?",
            "Ist das Büro am Samstag offen?",
            "Ab welchem Betrag brauche ich einen Beleg?",
            "Wenn ich krank bin, wann muss ich mich melden?",
            "Wie richte ich das VPN ein?",
            "Haben Sie Parkplätze?",
            "Dresscode",
            "Gibt es einen Dresscode?",
        ],
    ),
    (
        "fr",
        "Combien de jours de congé ai-je ?",
        [
            "Comment réinitialiser mon mot de passe ?",
            "Y a-t-il une cantine ?",
            "Où puis-je me garer ?",
            "Quelle est la limite pour un dîner d'affaires ?",
            "Qui est le délégué du personnel ?",
            "À quelle heure ouvre le bureau ?",
            "Est-ce que l'entreprise paie mes lunettes ?",
            "J'ai perdu mon badge",
            "En combien de temps sont remboursés les frais ?",
            "Pour quels achats faut-il une commande ?",
            "Puis-je amener mon chien ?",
        ],
    ),
    (
        "es",
        "¿Cuántos días de vacaciones tengo?",
        [
            "¿Cómo cambio mi contraseña?",
            "¿Hay comedor?",
            "¿Dónde puedo aparcar?",
            "¿Cuál es el límite para una cena de negocios?",
            "¿Quién es el delegado sindical?",
            "¿A qué hora abre la oficina?",
            "He perdido mi tarjeta de acceso",
            "¿La empresa paga mis gafas?",
            "¿En qué casos necesito un certificado médico?",
            "¿Puedo traer a mi perro?",
            "¿Para qué compras hace falta un pedido?",
        ],
    ),
    (
        "en",
        "How many days a week may I work remotely?",
        [
            "How do I claim travel expenses?",
            "My monitor is flickering, who can help?",
            "Where do I find my payslip?",
            "Is smoking allowed on the terrace?",
            "When do I get paid?",
            "Can you help me with the printer?",
            "Do we have a canteen?",
            "The printer on the second floor doesn't work, can someone fix it?",
            "Are there vegetarian options in the canteen?",
            "I'd like to order a new phone",
            "What should I do when the fire alarm goes off?",
            "Which form do I need for parental leave?",
            "How do I connect to the office wifi from my phone?",
            "What are the opening hours of reception?",
            "On what date is salary paid?",
            "Who is my HR contact?",
            "Is there a limit on gifts from suppliers?",
            "travel expenses form",
            "What is the process for returning an instrument?",
            "How can I change the language of the intranet?",
        ],
    ),
    (
        "de",
        "Wie lange ist die Garantie auf eine Wetterstation?",
        [
            "Wie bekomme ich einen neuen Ausweis?",
            "Wo finde ich meine Gehaltsabrechnung?",
            "Ist Rauchen auf dem Gelände erlaubt?",
            "Was mache ich bei Feueralarm?",
            "Kann ich mein Gehalt in zwei Teilen bekommen?",
            "Mein Drucker geht nicht",
            "Wer hilft mir bei Problemen mit dem Laptop?",
            "Im Keller ist Wasser, wen rufe ich an?",
            "Wie hoch ist das Kilometergeld?",
        ],
    ),
    (
        "fr",
        "Quel est le plafond pour un hôtel ?",
        [
            "Comment commander des cartes de visite ?",
            "Où trouver ma fiche de paie ?",
            "Peut-on fumer sur la terrasse ?",
            "Mon imprimante ne marche pas",
            "Quand est versé le salaire ?",
            "Que faire en cas d'incendie ?",
        ],
    ),
    (
        "es",
        "¿Cuál es el límite para un hotel?",
        [
            "¿Cómo pido tarjetas de visita?",
            "¿Dónde encuentro mi nómina?",
            "¿Se puede fumar en la terraza?",
            "Mi impresora no funciona",
            "¿Cuándo se paga el salario?",
            "¿Qué hago si suena la alarma de incendios?",
        ],
    ),
]


@pytest.mark.parametrize(("language", "before", "texts"), FOLLOW_UPS)
def test_follow_ups_are_told_as_such(language, before, texts):
    assert [text for text in texts if not is_follow_up(text)] == []


@pytest.mark.parametrize(("language", "before", "texts"), CHANGES)
def test_changes_of_topic_are_no_follow_ups(language, before, texts):
    assert [text for text in texts if is_follow_up(text)] == []


@pytest.mark.parametrize("case", HANDBOOK["follow_ups"], ids=lambda case: case["follow_up"])
def test_the_sample_handbooks_follow_ups_are_told_from_their_stand_alone_forms(case):
    assert is_follow_up(case["follow_up"])
    assert not is_follow_up(case["first"])
    assert not is_follow_up(case["stand_alone"])


def test_no_question_of_the_sample_handbook_is_taken_for_a_follow_up():
    questions = [case["question"] for case in HANDBOOK["answerable"]] + HANDBOOK["unanswerable"]
    assert [question for question in questions if is_follow_up(question)] == []


def said(*exchanges):
    """Make turns of (text, question, origin)."""
    turns = []
    for text, question, origin in exchanges:
        turns.append(Turn(len(turns) + 1, Role.AUTHOR, text, WHEN))
        turns.append(Turn(len(turns) + 1, Role.ASSISTANT, "Yes.", WHEN, question=question, origin=origin))
    return turns


def carried(*texts):
    """Ask one after the other, as the engine does, and return what is searched for in the end."""
    turns = []
    for text in texts:
        turns += said((text, stand_alone(text, turns), Origin.DOCUMENTS))
    return turns[-1].question


FIRST = "How many vacation days do I get?"


def test_a_follow_up_carries_the_question_before_it():
    assert carried(FIRST, "and for part-timers?") == f"{FIRST} and for part-timers?"


def test_a_difference_takes_the_place_of_the_difference_before():
    assert carried(FIRST, "and for part-timers?", "what about interns?") == f"{FIRST} what about interns?"
    assert carried(FIRST, "und für Teilzeit?", "und in der Probezeit?") == f"{FIRST} und in der Probezeit?"


def test_a_follow_up_to_a_follow_up_carries_both():
    warranty = "How long is the warranty on a weather station?"
    assert carried(warranty, "Can I make it longer?", "What does it cost?") == (
        f"{warranty} Can I make it longer? What does it cost?"
    )
    assert carried(warranty, "Can I make it longer?", "and on a rain gauge?").startswith(
        f"{warranty} Can I make it longer?"
    )


def test_a_change_of_topic_carries_nothing_and_is_carried_from_then_on():
    assert carried(FIRST, "and for part-timers?", "What is the dress code?") == "What is the dress code?"
    assert carried(FIRST, "What is the dress code?", "on Fridays?") == "What is the dress code? on Fridays?"


def test_only_what_was_searched_for_is_carried():
    searched = (FIRST, FIRST, Origin.NOTHING_FOUND)
    turns = said(searched, ("Thanks!", "", Origin.SMALL_TALK), ("A person, please", "Other", Origin.PERSON))
    assert last_question(turns) == FIRST
    assert stand_alone("and for part-timers?", turns) == f"{FIRST} and for part-timers?"
    assert stand_alone("and for part-timers?", turns[2:]) == "and for part-timers?"
    assert last_question([]) == ""


def test_a_rewritten_question_is_carried_whole():
    turns = said(("and for part-timers?", "How many vacation days do part-timers get?", Origin.DOCUMENTS))
    assert stand_alone("and for interns?", turns) == "How many vacation days do part-timers get? and for interns?"


def test_of_a_long_question_the_beginning_and_the_end_are_carried():
    turns = said(("x", f"The topic {'is long ' * 200} and newest", Origin.DOCUMENTS))
    found = stand_alone("why?", turns)
    assert found.startswith("The topic")
    assert found.endswith("and newest why?")
    assert len(found) <= 410


@given(
    st.lists(
        st.sampled_from(["why?", "and for interns?", "Can I make it longer?", "x" * 50, "What else?"]), max_size=40
    )
)
def test_what_is_carried_does_not_grow_without_end(texts):
    assert len(carried(FIRST, *texts)) <= 470


@given(st.text(max_size=300))
def test_any_text_can_be_judged(text):
    found = stand_alone(text, said((FIRST, FIRST, Origin.DOCUMENTS)))
    assert found == (f"{FIRST} {text}" if is_follow_up(text) else text)


def test_a_transcript_names_who_spoke():
    assert transcript(said((FIRST, FIRST, Origin.DOCUMENTS))) == f"author: {FIRST}\nassistant: Yes."
