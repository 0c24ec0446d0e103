"""What was said before, and questions that need it; the words that decide are those of en, de, fr and es."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from core.domain import Origin, Role, Turn
from core.stopwords import STOP_WORDS
from core.terms import terms

_LONGEST_CARRIED = 400
_SHORT = 3  # words that name something, of a text that is no whole question

_NEW_TOPIC = re.compile(
    r"^\W*(?:(?:another|new|different|next|andere|neue|nächste|autre|nouvelle|otra|nueva) "
    r"(?:question|topic|subject|frage|thema|sujet|pregunta|tema)|by the way|btw|übrigens|au fait|por cierto)\b",
    re.IGNORECASE,
)
_SOFTENER = r"^\W*(?:(?:ok(?:ay)?|so|well|hm+|alright|gut|bien|bueno|vale)\W+)?"
# What begins so names only what is different: "what about interns?"
_LEANING = re.compile(
    _SOFTENER + r"(?:(?:and|und|et|y)\W+)?(?:what about|how about|same for|why not|was ist mit|wie ist es mit|"
    r"wie sieht es|qu['’]en est-il|même chose pour|qué pasa con|qué hay de|qué tal|lo mismo para)\b",
    re.IGNORECASE,
)
# What begins so goes on from something, unless a whole question of its own follows.
_GOING_ON = re.compile(
    _SOFTENER + r"(?:and|or|but|also|then|instead|what if|und|oder|aber|auch|sondern|was wenn|"
    r"et|ou|mais|aussi|alors|y(?! a\b)|o|pero|también|entonces)\b",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    _SOFTENER + r"(?:for|in|on|at|with|without|during|if|from|by|per|after|before|until|since|within|only|even|"
    r"für|bei|beim|mit|ohne|im|in|am|ab|bis|seit|nach|vor|pro|während|wenn|falls|nur|"
    r"pour|avec|sans|pendant|en|à|au|aux|chez|dans|par|si|depuis|avant|après|seulement|"
    r"para|con|sin|durante|por|desde|hasta|solo|sólo)\b",
    re.IGNORECASE,
)
_ASKING = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how|"
    r"wer|wem|wen|was|wann|wo|wohin|woher|warum|wieso|weshalb|wie|wieviel|welche[rmns]?|womit|wofür|worauf|"
    r"qui|que|quoi|quand|où|pourquoi|comment|combien|quel(?:le)?s?|"
    r"qué|quién(?:es)?|cuándo|dónde|cómo|cuál(?:es)?|cuánt[oa]s?)\b"
    r"|(?:^|, |: )\W*(?:(?:and|or|but|also|then|instead|und|oder|aber|et|ou|mais|y|o|pero)\b\W*)?"
    r"(?:is|are|was|were|do|does|did|can|could|may|might|must|should|shall|will|would|has|have|am|"
    r"ist|sind|kann|können|darf|dürfen|muss|müssen|soll|sollen|gibt|gilt|hat|habe|haben|wird|werden|bekomme|brauche|"
    r"y a|est-ce|hay|puedo|puede|podemos|tengo|tiene|debo|es|son|está)\b"
    r"|-(?:t-)?(?:je|tu|il|elle|on|nous|vous|ils|elles)\b",
    re.IGNORECASE,
)
# "it" that stands for nothing named: "is it possible to", and the department.
_EMPTY_IT = re.compile(
    r"\bit(?:'s| is)? (?:also |still )?(?:possible|ok|okay|fine|allowed|necessary|true|mandatory|required|permitted|"
    r"legal|worth|going|time)\b(?= (?:for|to|that|if))"
    r"|\bit (?:takes?|means?)\b(?= (?:for|to|that|if|when))"
    r"|\bit (?=help|support|service|department|team|desk|security|equipment|policy|ticket)",
)
_MOMENT = (
    r"(?! (?i:week|weekend|year|month|quarter|morning|evening|summer|winter|friday|monday|"
    r"woche|wochenende|jahr|monat|quartal|sommer|winter))"
)
# Words that point at something named earlier. "das" and "that" are articles and conjunctions far more often.
_POINTING = re.compile(
    r"\b(?:it|they|them|theirs|he|she|him|ones)\b|\b(?:the|a|an|another|which|first|second|last|new) one\b"
    rf"|\b(?:is|are|was|does|do|did|will|can|if|for|about|of|to|with|in|on|by|from|after|before|than|like|explain|mean)"
    rf" (?:this|that|these|those)\b{_MOMENT}|\b(?:this|that|there)\b(?=\W*$| (?:too|also|as well)\b)"
    r"|\b(?:ihn|ihm|dafür|davon|damit|dazu|daran|darüber|dabei|dort|dies)\b"
    rf"|\bdies(?:e|er|es|em|en)\b{_MOMENT}"
    r"|\bdas\b(?=\W*$| (?:auch|für|bei|in|noch|denn|so|nur|schon|dann|mit|immer|jetzt|alles|auf|ich|man|nicht|"
    r"vom|von|zum|ab|pro|bis|ein|überhaupt)\b| [a-zäöüß]{3,}(?:n|t)\W*$)"
    r"|(?<=[a-z]en )sie\b|\bça\b|\best-ce (?!qu|possible)|\b(?:cela|ceux|celles|celui|celle)\b"
    r"|-(?:je|on|il|elle|nous|vous) (?:(?:le|la|les|lui|leur) |l['’])"
    r"|\b(?:eso|esto|esos|esas|estos|estas|ellos|ellas|lo)\b(?! que\b)|\b\w{3,}[aei]r(?:lo|la|los|las)\b"
)
_CAPITAL = re.compile(r"[^\W\d_]")
_CLAUSE = re.compile(r"[,.;:?!]|\b(?:and|if|when|because|but|und|wenn|weil|et|si|y)\b", re.IGNORECASE)
_SUBJECT = re.compile(r"\b(?:i|we|you|they|ich|wir|je|nous|on)\b", re.IGNORECASE)

# Words that say nothing until something is named: "what is the deadline?", "who approves?"
_RELATIVE = {
    "en": "long often far soon exactly deadline limit maximum minimum max min exception rule cost price fee amount "
    "rate form process procedure step reason difference consequence condition requirement duration detail example "
    "alternative option replacement extension proof day week month year hour minute time date night person head "
    "apply approve approval expire happen work extend renew cancel claim request submit hand cover include count mean "
    "elaborate decide sign allowed possible required mandatory valid free total more less longer shorter earlier later "
    "first second ask contact responsible",
    "de": "lange oft genau frist grenze limit maximum minimum ausnahme regel kosten kostet preis gebühr betrag anzahl "
    "formular prozess verfahren ablauf schritt grund unterschied folge voraussetzung bedingung dauer dauert detail "
    "beispiel alternative ersatz verlängerung nachweis tag woche monat jahr stunde minute zeit datum nacht person kopf "
    "beantragen beantrage genehmigen genehmigt genehmigung verfallen verfällt passieren passiert gelten gilt "
    "verlängern übertragen einreichen entscheiden entscheidet erlaubt möglich nötig pflicht kostenlos gültig hoch "
    "zuständig höchstens maximal mindestens insgesamt",
    "fr": "longtemps exactement délai limite maximum minimum exception règle coût coûte coûter prix montant formulaire "
    "procédure étape raison différence condition durée dure durer détail exemple remplacement jour semaine mois année "
    "an heure minute temps date nuit personne demander demande approuver approuve approbation expirer expire passer "
    "vaut valable reporter prolonger envoyer décider décide autorisé inclut inclure possible obligatoire gratuit long",
    "es": "exactamente plazo límite máximo mínimo excepción regla costo coste cuesta precio importe formulario proceso "
    "procedimiento paso motivo razón diferencia condición duración dura detalle ejemplo reemplazo día semana mes año "
    "hora minuto tiempo fecha noche persona solicitar solicito solicita pedir pido aprobar aprueba caducar caducan "
    "vale pasar pasa prolongar enviar envío decidir decide permitido posible obligatorio gratis válido largo "
    "incluir incluye",
}
_RELATIVE_TERMS = {language: frozenset(terms(words, language)) for language, words in _RELATIVE.items()}
_STOPS = frozenset().union(*STOP_WORDS.values())
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


def is_follow_up(text: str) -> bool:
    """Tell whether TEXT needs the question before it to be understood, from its own words alone."""
    if _NEW_TOPIC.search(text):
        return False
    naming = _count_naming(text)
    if naming == 0 or _LEANING.search(text):
        return True
    if naming <= 2 and _points_back(text):
        return True
    whole = _ASKING.search(text) is not None
    if going_on := _GOING_ON.search(text):
        return naming <= 1 or not _ASKING.search(text[going_on.end() :])
    return not whole and naming <= _SHORT and _is_fragment(text)


def last_question(turns: Sequence[Turn]) -> str:
    """Return the stand-alone form of the last question that was searched for, or the empty string."""
    turn = _last_searched(turns)
    return turns[turn].question if turn is not None else ""


def stand_alone(text: str, turns: Sequence[Turn]) -> str:
    """Complete a follow-up with the question before it; any other text comes back as it is.

    A follow-up that names only what is different takes the place of another such: after "How many vacation days do
    I get?" and "and for interns?", "and for part-timers?" carries the first alone.
    """
    place = _last_searched(turns)
    if place is None or not turns[place].question or not is_follow_up(text):
        return text
    before = turns[place].question
    asked = next((turn.text for turn in reversed(turns[:place]) if turn.role is Role.AUTHOR), "")
    base = before.removesuffix(asked).rstrip() if asked else ""
    if base and _is_difference(asked) and _is_difference(text):
        before = base
    return f"{_shorten(before)} {text}"


def transcript(turns: Sequence[Turn]) -> str:
    """Write the turns as lines a person can read."""
    return "\n".join(f"{turn.role.value}: {turn.text}" for turn in turns)


def _last_searched(turns: Sequence[Turn]) -> int | None:
    """Find the place of the last answer to a question that was searched for."""
    for place in range(len(turns) - 1, -1, -1):
        turn = turns[place]
        if turn.role is Role.ASSISTANT and turn.origin in (Origin.DOCUMENTS, Origin.NOTHING_FOUND):
            return place
    return None


def _count_naming(text: str) -> int:
    """Count the different words that name something by themselves."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    words = set(_WORD.findall("".join(letter for letter in bare if not unicodedata.combining(letter))))
    return sum(not all(_is_light(part) for part in word.split("-")) for word in words)


@lru_cache(maxsize=2**13)
def _is_light(word: str) -> bool:
    """Tell whether WORD is a number, a stop word, or says nothing until something is named, in any language."""
    if word.isdecimal() or word in _STOPS:
        return True
    return any(_RELATIVE_TERMS[language].issuperset(terms(word, language)) for language in _RELATIVE_TERMS)


def _points_back(text: str) -> bool:
    """Tell whether a word points at something that no earlier clause of TEXT names."""
    bare = _CAPITAL.sub(lambda first: first[0].lower(), _EMPTY_IT.sub("", text), count=1)
    pointing = _POINTING.search(bare)
    if pointing is None:
        return False
    clauses = list(_CLAUSE.finditer(bare, 0, pointing.start()))
    return not clauses or _count_naming(bare[: clauses[-1].start()]) == 0


def _is_fragment(text: str) -> bool:
    return _PREPOSITION.search(text) is not None and len(_SUBJECT.findall(text)) <= 1


def _is_difference(text: str) -> bool:
    """Tell whether a follow-up names only what is different, as "and for interns?" does."""
    return not _points_back(text) and bool(_LEANING.search(text) or not _ASKING.search(text))


def _shorten(question: str) -> str:
    """Keep the beginning, which has the topic, and the end, which has the newest words."""
    if len(question) <= _LONGEST_CARRIED:
        return question
    half = _LONGEST_CARRIED // 2
    return f"{question[:half].rpartition(' ')[0] or question[:half]} … {question[-half:].partition(' ')[2]}"
