"""The words and turns of phrase that decide, or do not, whether two questions ask the same (core/similar.py).

Phrases are matched against lower-cased words with one space between them, fillers and punctuation already gone.
"""

import re

WH = frozenset("what which who whom whose when where why how".split())
AUXILIARIES = frozenset("is are was were am do does did".split())
MODALS = {
    "can": "can",
    "could": "can",
    "may": "may",
    "might": "may",
    "must": "must",
    "should": "should",
    "shall": "should",
    "ought": "should",
    "will": "will",
    "would": "will",
}
FREE_MODALS = frozenset({"can", "may"})  # "how can I" asks what "how do I" asks
SUBJECTS = frozenset("i we you one to".split())  # after "how": "how do I", "how to"

# Dropped wherever they stand, before phrases are matched.
FILLERS = frozenset(
    "please pls plz kindly just actually really exactly currently generally usually normally typically basically "
    "simply maybe perhaps possibly probably quickly briefly precisely specifically anyway btw um uh bitte doch".split()
)
# Dropped wherever they stand, after phrases are matched.
LIGHT = AUXILIARIES | frozenset(
    "a an the be been being there here some any so then now also too still already ever that".split()
)

NEGATIONS = frozenset(
    "not no never without none neither nor nobody nothing nowhere non except excluding unless "
    "nicht kein keine keinen keinem keiner nie niemals ohne ausser pas sans jamais aucun aucune sauf "
    "sin nunca ningun ningún ninguna jamás excepto salvo".split()
)

_NEGATED = "do does did is are was were has have had could should would must need".split()
SHORT_FORMS = {
    **{f"{verb}nt": (verb, "not") for verb in _NEGATED},
    "cant": ("can", "not"),
    "cannot": ("can", "not"),
    "wont": ("will", "not"),
    "whats": ("what",),
    "hows": ("how",),
    "u": ("you",),
    "&": ("and",),
}

NUMBERS = {
    word: str(number)
    for number, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), start=2)
}

IRREGULAR = {
    "children": "child",
    "people": "person",
    "men": "man",
    "women": "woman",
    "feet": "foot",
    "wives": "wife",
    "lives": "life",
    "criteria": "criterion",
    "criterias": "criterion",
    "analyses": "analysis",
}

# Plural and singular, or what looks like them, mean different things.
UNINFLECTED = frozenset("news customs goods premises accounting evening".split())

# Two questions that hold different members of one pair contradict each other; commas separate the members.
OPPOSITES = tuple(
    (one.split(), other.split())
    for one, other in (
        ("enable activate", "disable deactivate"),
        ("add include", "remove delete exclude"),
        ("open", "close"),
        ("start begin", "stop end finish"),
        ("install", "uninstall"),
        ("connect", "disconnect"),
        ("mute", "unmute"),
        ("lock", "unlock"),
        ("block", "unblock"),
        ("subscribe", "unsubscribe"),
        ("link", "unlink"),
        ("import", "export"),
        ("upload", "download"),
        ("upgrade", "downgrade"),
        ("increase raise", "decrease reduce lower"),
        ("allow permit", "forbid prohibit deny"),
        ("approve accept", "reject decline refuse"),
        ("encrypt", "decrypt"),
        ("archive", "restore"),
        ("buy purchase", "sell"),
        ("send", "receive"),
        ("deposit", "withdraw"),
        ("hire", "fire dismiss"),
        ("join", "leave"),
        ("show", "hide"),
        ("before prior", "after"),
        ("over above more", "under below less"),
        ("most maximum highest", "least minimum lowest"),
        ("first earliest", "last latest"),
        ("early earlier", "late later"),
        ("all every", "one"),
        ("internal", "external"),
        ("incoming inbound", "outgoing outbound"),
        ("weekday weekdays", "weekend weekends"),
        ("monthly month", "annual annually yearly year"),
        ("single", "double"),
        ("public", "private"),
        ("paid", "unpaid free"),
        ("domestic national", "international foreign"),
        ("permanent", "temporary"),
        ("required mandatory", "optional"),
        ("employee", "employer"),
    )
)

_YOU = "(?:you|someone|somebody|anyone|anybody)"
_SAY = "(?:tell|explain|let|show|inform|advise|clarify|describe|share|give|remind|say|outline|summari[sz]e|confirm)"
_SAYING = "(?:telling|explaining|letting|showing|clarifying|describing|sharing|saying)"
_KNOW = "(?:know|ask|find out|understand|learn|check|hear|confirm)"
_ABOUT = "(?: about| regarding)?"
_WOULD_LIKE = "(?:(?:would|will) )?(?:like|love|want|need|wanted|wish|hope|have)"

_START = f"""
(?:hi|hello|hey|greetings|dear|good (?:morning|afternoon|evening|day))(?: (?:there|all|everyone|team|folks|again|bot))?
thanks
thank you
sorry(?: to bother you)?
excuse me
pardon(?: me)?
ok
okay
so
(?:a )?(?:(?:quick|short|simple|small|another|one) )?question{_ABOUT}
(?:i|we) (?:have|got)(?: got)? (?:a|one|another)(?: (?:quick|short|simple|small))? question{_ABOUT}
my question is
(?:could|can|would|will) {_YOU} (?:help me (?:to )?understand|{_SAY}(?: to)?(?: me| us)?(?: know)?){_ABOUT}
would {_YOU} mind {_SAYING}(?: to)?(?: me| us)?(?: know)?{_ABOUT}
(?:tell|show|give|remind|let)(?: to)? (?:me|us)(?: know)?{_ABOUT}
(?:explain|describe|clarify|outline|summari[sz]e)(?: to (?:me|us))?
(?:do|does) (?:you|someone|somebody|anyone|anybody)(?: here)?(?: happen to)? know{_ABOUT}
(?:anyone|anybody) know{_ABOUT}
(?:do you have )?any idea{_ABOUT}
(?:i|we) {_WOULD_LIKE} to {_KNOW}{_ABOUT}
(?:i|we)(?: am| are| was| were)? (?:wondering|wonder|curious|asking|(?:trying|hoping) to {_KNOW}){_ABOUT}
(?:may|can|could|might) (?:i|we) (?:ask|know){_ABOUT}
is it possible to know
it would be (?:great|nice|good|helpful) to {_KNOW}
hallo
guten (?:tag|morgen|abend)
(?:können|könnten|kannst|könntest|würden|würdest) (?:sie|du) (?:mir|uns) (?:sagen|erklären)
sag(?:en sie)? (?:mir|uns)
ich (?:möchte|würde|will)(?: gerne?)? wissen
(?:wissen sie|weisst du)
bonjour
salut
(?:pouvez vous|pourriez vous|peux tu|pourrais tu) (?:me|nous) (?:dire|expliquer)
(?:dites|dis|expliquez) (?:moi|nous)
je (?:voudrais|veux|aimerais) savoir
s'il (?:vous|te) plaît
hola
buen(?:os|as) (?:días|tardes|noches)
(?:puede|puedes|podría|podrías)(?: usted)? (?:decirme|explicarme)
(?:dime|dígame)
(?:quisiera|me gustaría) saber
por favor
"""

_END = f"""
(?:many )?thanks(?: (?:you|a lot|so much|very much|in advance|again))*
thank you(?: (?:so much|very much|in advance|again))*
thx
cheers
(?:(?:kind|best|warm) )?regards
(?:for|to) (?:me|us)
asap
as soon as (?:possible|you can)
if (?:possible|you (?:can|could|know|do not mind)|i may ask)
when you (?:can|have time)
in (?:more |full |some )?(?:detail|details|short|brief|general|(?:simple|plain|a few) (?:words|terms|english))
step by step
right now
at the moment
(?:these days|nowadays)
(?:by the way|at all|for sure)
(?:could|can|would|will) you (?:help|explain|tell|clarify|advise)(?: me| us)?(?: out)?(?: with)?(?: this| that)?
help(?: me| us)?(?: out)?
(?:i|we) {_WOULD_LIKE} to {_KNOW}
(?:tell|let) me(?: know)?
do you know
does anyone know
any (?:ideas?|help|hints?|thoughts?|info|information|advice)
(?:i am )?(?:wondering|curious|asking)
(?:(?:any|your) )?help (?:is |would be )?(?:much |greatly )?appreciated
(?:(?:it|this) is )?urgent
(?:ok|okay|hello|hi)
(?:in|at|for|within) (?:our|the|this|my) (?:company|organi[sz]ation|firm|workplace)
danke(?: schön| sehr)?
vielen dank
s'il (?:vous|te) plaît
merci(?: beaucoup)?
por favor
(?:muchas )?gracias
"""

_CONDITION = "(?:if|whether|ob)"


def _any_of(phrases: str) -> str:
    return "|".join(phrases.strip().splitlines())


POLITE_START = re.compile(rf"(?:(?:{_any_of(_START)})(?: {_CONDITION})? )+")
POLITE_END = re.compile(rf"(?: (?:{_any_of(_END)}))+$")
CONDITION_END = re.compile(rf"\b{_CONDITION} $")
