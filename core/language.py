"""Guess the language of a message: by its script, else by its function words and the letters only some languages use.

A guess is made only where something speaks for it; otherwise the caller's default stands, which is the language the
session has had so far.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_SAMPLE = 600  # characters; a message does not change its language after that
_ENOUGH = 1.0  # clear function words decide by themselves
_SHARE = 0.25  # fewer do where they are this much of a short message
_LETTER_WEIGHT = 0.4
_IDEOGRAPH_WEIGHT = 2.5  # a character of these says as much as several letters

_NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ka": "Georgian", "kk": "Kazakh", "ko": "Korean", "lt": "Lithuanian", "nb": "Norwegian",
    "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sr": "Serbian",
    "sv": "Swedish", "ta": "Tamil", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip

# The first letters of a Unicode name tell the script.
_SCRIPTS = {
    "CYRILLIC": "ru", "GREEK": "el", "ARABIC": "ar", "HEBREW": "he", "CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja",
    "HANGUL": "ko", "THAI": "th", "DEVANAGARI": "hi", "ARMENIAN": "hy", "GEORGIAN": "ka", "BENGALI": "bn",
    "TAMIL": "ta",
}  # fmt: skip
_IDEOGRAPHS = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL"})

# Letters that set one language of a script apart from the one guessed first; the first line that fits decides.
_SCRIPT_LETTERS = {
    "ru": (
        ("sr", "\u0452\u0458\u0459\u045a\u045b\u045f"),
        ("kk", "\u04d9\u0493\u049b\u04a3\u04e9\u04b1\u04af\u04bb"),
        ("uk", "\u0456\u0457\u0454\u0491"),
        ("ru", "\u044b\u044d\u0451"),
        ("bg", "\u044a"),
    ),
    "ar": (("ur", "\u0679\u0688\u06ba\u06d2\u06c1\u06be"), ("fa", "\u067e\u0686\u06af\u0698\u06cc\u06a9")),
    "zh": (("ja", "".join(map(chr, range(0x3041, 0x30FF)))),),
}  # fmt: skip

# Lower-case and without accents, as they are compared. A word of several languages counts for each of them in part.
_WORDS = {
    "en": """
        the a an of to in on at for from by with without about into over under after before between during through
        and or but if then than because while when where who whom whose what which why how that this these those
        there here i you he she it we they me him her us them my your his its our their mine yours is am are was were
        be been being do does did doing done don don' doesn' didn' isn' aren' wasn' weren' can' couldn' won' wouldn'
        shouldn' haven' hasn' i' you' it' that' what' who' where' how' let' there' we' they' ll ve re doesnt dont
        cant wont isnt im ive whats hows have has had having can could will would shall should may might must need
        want get got getting give go going make take tell show find know let help please thanks thank hello yes not
        no any some many much more most other another each every all both few only just also too very again still
        ever never always now today tomorrow as so up out off down see later die me
    """,
    "de": """
        der die das den dem des ein eine einen einem einer eines kein keine keinen und oder aber wenn dann weil dass
        ob als wie was wer wen wem wo wohin woher wann warum wieso weshalb wozu womit wofur welche welcher welches
        welchen welchem ich du er sie es wir ihr mich mir dich dir ihn ihm ihnen uns euch mein meine meinen meinem
        meiner dein deine deinen deinem deiner sein seine ihre ihren ihrem ihrer unser unsere unseren euer eure ist
        bin bist sind seid war waren wird werden wurde werde wirst habe hast hat haben hatte hab kann kannst konnen
        konnte darf darfst durfen muss musst mussen soll sollte sollen will willst wollen mochte mochtest mag magst
        gibt gibts geht gehts geh mach machst macht machen sag sagen zeig zeige zeigen weiss weisst finde finden
        brauche brauchst lass nicht nichts noch nur nun schon sehr auch mehr viel viele alle alles etwas immer wieder
        hier dort da so ja nein bitte danke hallo heute morgen gestern mit ohne fur von vom zu zum zur bei beim nach
        vor aus auf an am in im ins um uber unter durch gegen bis seit ab zwischen wahrend man mal denn doch eigentlich
        einfach na je da jemand wieso nie diese dieser dieses diesen diesem jede jeder jedes jeden gut uhr ubers
    """,
    "fr": """
        le la les l' un une des du de d' au aux et ou mais si que qu' qui quoi quel quelle quels quelles dont ou
        quand comment pourquoi combien ce c' cet cette ces ca cela je j' tu il elle on nous vous ils elles me
        m' te t' se s' moi toi lui leur leurs mon ma mes ton ta tes son sa ses notre nos votre vos est es suis sommes
        etes sont etait ete etre sera serait ai as a avons avez ont avoir avait peux peut pouvez pouvons peuvent
        pouvoir dois doit devons devez faut veux veut voulez voudrais faire fais fait faites va vas vais aller dire dis
        dites donne montre trouve sais savez savoir connais comprends crois aimes aime ne n' pas plus moins tres bien
        bon bonne aussi encore toujours jamais rien tout toute tous toutes autre autres dans sur sous avec sans pour
        par chez vers entre avant apres pendant depuis jusqu' y en oui non merci bonjour salut svp
        aujourd' hui demain quelqu' quelque quelques chose parce donc deja ici mets peu trop
    """,
    "es": """
        el la los las lo un una unos unas de del al y e o u pero si que quien quienes cual cuales donde cuando como
        cuanto cuanta cuantos cuantas por porque para con sin sobre entre hasta desde hacia en a ante tu usted
        ustedes nosotros ellos ellas ella me te se nos os le les mi mis tus su sus nuestro nuestra nuestros es eres
        soy somos son era fue ser sido sea esta estas estan estoy estar este estos esto ese esa eso esos esas aqui
        alli hay he has ha han haber tengo tienes tiene tienen tener puedo puedes puede pueden poder podria podrias
        debo debe deben quiero quieres quiere querria gustaria gusta hacer hago haces hace haz hazme dime digas decir
        dices dar das da dame se sabes saber crees creo conoces pon muestra muestrame ver voy vas va vamos
        necesito muy mas menos mucho mucha muchos muchas poco bien bueno buena buenos mal tambien tampoco no nada
        nunca siempre algo alguien algun alguna todo toda todos todas otro otra otros gracias hola hoy manana favor
        pues porque verdad cosa cosas tan contigo conmigo eso vale
    """,
    "it": """
        il lo la i gli le l' un uno una un' di del dello della dei degli delle dell' da dal dalla al allo alla ai agli
        alle all' nel nella nei nelle nell' sul sulla sull' con per tra fra su in a e ed o ma se che chi cosa cos' come
        quando quanto quanta quanti quante dove dov' perche quale quali qual io tu lui lei noi voi loro mi ti si ci vi
        ne mio mia miei mie tuo tua suo sua nostro nostra vostro sono sei e' siamo siete era essere stato stata ho hai
        ha abbiamo avete hanno avere posso puoi puo possiamo potete possono devo devi deve dobbiamo voglio vuoi vuole
        vorrei fare faccio fai fa dimmi dire dammi mostrami mostra metti imposta trova so sai bisogno c' non piu meno
        molto poco tutto tutti tutte tutta anche ancora sempre mai gia ora adesso oggi domani ieri questo questa questi
        queste quest' quello quella qui dopo prima senza sotto sopra grazie sara saranno ogni qualche sto sta stai
        alcuni per favore
    """,
    "pt": """
        o a os as um uma uns umas de do da dos das em no na nos nas num numa ao aos pelo pela por para pra com sem
        sobre entre ate desde e ou mas se que quem qual quais quando como quanto quantos quantas onde porque eu tu voce
        voces ele ela eles elas nos me te lhe meu minha meus minhas teu seu sua seus suas nosso nossa e sao sou somos
        esta estao estou era foi ser estar este esta isto esse essa isso aquele aqui ali ha tenho tem temos tens ter
        tinha posso pode podem podemos poder devo deve devem preciso quero quer gostaria fazer faco faz diga dizer dar
        mostre mostra sei sabe saber vou vai vamos muito muita muitos mais menos tambem ja ainda nao sim nada nunca
        sempre tudo todo toda todos todas outro outra obrigado obrigada ola oi bom boa hoje amanha ontem favor
    """,
    "nl": """
        de het een en of maar als dan omdat dat dit deze die wat wie waar wanneer waarom hoe hoeveel welke welk ik jij
        je u hij zij ze wij we jullie mij me jou hem haar ons hen hun mijn jouw uw zijn is ben bent was waren wordt
        worden word heb hebt heeft hebben had kan kun kunt kunnen kon mag mogen moet moeten wil wilt willen zal zullen
        zou zouden ga gaat gaan doe doet doen maak zet laat zeg toon vind weet weten geef geen niet niets nog maar ook
        wel al heel erg veel meer alle alles iets altijd nooit nu hier daar er in op aan van voor met zonder uit om bij
        naar over onder door tegen tot sinds tussen na tijdens te toe vandaag morgen gisteren ja nee alsjeblieft
        alstublieft bedankt dank hallo hoi mijne
    """,
}
# Of these only the words count that none of the languages above has.
_MORE_WORDS = {
    "da": """
        hvad hvor hvordan hvorfor hvornar jeg mig dig af ud nej ogsa meget skal være bliver noget nogle mit min det
        til fa kommer klokken vis denne næste
    """,
    "nb": """
        hva hvor hvorfor hvordan nar jeg meg deg av ut nei ogsa mye skal være blir noe noen mitt min det til fa
        kommer klokken vis denne neste
    """,
    "sv": """
        hur vad varfor nar jag mig dig av ut nej ocksa mycket ska vara blir nagot nagra min mitt och att ar det till
        klockan visa nasta inte pa kommer far hej tack hjalp ett
    """,
    "fi": """
        mika mita miten missa mista kuinka monta minulla milloin miksi kuka mina sina han me te ja tai mutta etta on
        ei ole olen voi voinko tama se kun jos myos kiitos hei paljonko onko voisitko
    """,
    "pl": """
        jak gdzie kiedy dlaczego czy jest sa nie tak moj moja moje jestem mam moge mozna dla przez sie oraz lub ile
        ktory ktora ktore prosze dziekuje dzien dobry jaki jaka jakie od przy bardzo jutro dzis
    """,
    "cs": """
        jak kde kdy proc jestli je jsou neni ano muj moje jsem mam muzu mohu pro pres nebo kolik ktery ktera ktere
        prosim dekuji dobry den jaky jaka jake co se ze pri velmi zitra dnes muze
    """,
    "tr": """
        ve bir bu ne nasil nerede zaman neden kim icin ile var yok mi mu degil ben sen benim bana misin misiniz evet
        hayir nedir kac hangi bugun yarin daha cok gibi olarak ayarla goster lutfen tesekkur merhaba sabah hava
    """,
    "id": """
        apa apakah bagaimana dimana kapan mengapa siapa dan atau tidak saya anda kami kita ini itu yang untuk dengan
        dari pada ke akan bisa ada adalah berapa hari tolong besok terima kasih jam dapat ingin sudah belum
    """,
    "ro": """
        cum unde cand cine este sunt nu pentru cu din la sau si ce care imi mie am pot vreau trebuie cat cate
        multumesc buna ziua va rog acest aceasta fost azi maine
    """,
    "hu": """
        hogyan hol mikor miert mi az egy es vagy de nem van vannak lesz kell lehet nekem en te ez mennyi hany
        koszonom szia kerem holnap
    """,
    "lt": """
        kaip kur kada kodel prie kas ar ir arba ne yra buti bus mane as tu jus su be apie nuo iki kiek koks
        kokia kurie prasau aciu labas diena siandien rytoj man nustatyti rodyk
    """,
    "hr": """
        kako gdje gde kada zasto tko sto sta li je su nije sam imam mogu moze za sa ili koliko koji koja koje hvala
        molim dobar dan ce biti sutra danas moj moja moje postavi mi se
    """,
    "vi": """
        la va khong toi ban cua co duoc cho voi cac nhung mot nay do the nao khi gi bao nhieu lam xin cam on hom
        ngay mai
    """,
}
# Letters hardly any other language writes.
_LETTERS = {
    "de": "\u00df\u00e4\u00f6\u00fc",
    "fr": "\u00e7\u0153\u00f9\u00ea\u00e8\u00e0\u00e2\u00ee\u00f4",
    "es": "\u00f1\u00bf\u00a1\u00e1\u00ed\u00f3\u00fa",
    "it": "\u00ec\u00f2\u00e8\u00f9\u00e0",
    "pt": "\u00e3\u00f5\u00e7\u00e2\u00ea\u00f4\u00e1\u00ed\u00f3\u00fa",
    "da": "\u00e5\u00f8\u00e6",
    "nb": "\u00e5\u00f8\u00e6",
    "sv": "\u00e5\u00e4\u00f6",
    "fi": "\u00e4\u00f6",
    "pl": "\u0105\u0119\u0142\u0144\u015b\u017a\u017c\u0107",
    "cs": "\u011b\u0161\u010d\u0159\u017e\u016f\u0165\u010f\u0148",
    "tr": "\u0131\u011f\u015f\u00e7\u00f6\u00fc",
    "ro": "\u0103\u021b\u0219\u00ee\u00e2\u0163\u015f",
    "hu": "\u0151\u0171\u00f6\u00fc\u00e1\u00ed\u00f3\u00fa",
    "lt": "\u0117\u0173\u016b\u0105\u0119\u012f\u0161\u010d\u017e",
    "hr": "\u0111\u0107\u010d\u0161\u017e",
    "vi": "\u01a1\u01b0\u0111\u1ea1\u1ea3\u1ea5\u1ea7\u1ead\u1eaf\u1eb7\u1ebf\u1ec1\u1ec3\u1ec7"
    "\u1ecb\u1ecd\u1ed1\u1ed3\u1ed9\u1edb\u1edd\u1ee3\u1ee5\u1eeb\u1ef1",
}

_WORD = re.compile(r"[^\W\d_]+'?")
_ACCENT = re.compile("[\u0300-\u036f]")
_APOSTROPHE = str.maketrans({"\u2019": "'", "\u00df": "ss", "\u0131": "i"})


def _weigh() -> dict[str, tuple[tuple[str, float], ...]]:
    """Share each word's weight among the languages that have it."""
    owners: dict[str, list[str]] = {}
    for language, words in _WORDS.items():
        for word in set(words.split()):
            owners.setdefault(word, []).append(language)
    more: dict[str, list[str]] = {}
    for language, words in _MORE_WORDS.items():
        for word in set(words.split()) - owners.keys():
            more.setdefault(word, []).append(language)
    return {word: tuple((one, 1 / len(those)) for one in those) for word, those in (owners | more).items()}


_WEIGHTS = _weigh()
_LETTER_OWNERS = {
    letter: tuple(language for language, letters in _LETTERS.items() if letter in letters)
    for letter in set("".join(_LETTERS.values()))
}


def detect(text: str, *, default: str = "en") -> str:
    """Guess the language of TEXT as an ISO 639-1 code; DEFAULT where too little speaks for any.

    A dialect counts as its language. Takes time in proportion to the text, of which only the beginning is read.
    """
    sample = text[:_SAMPLE].lower().translate(_APOSTROPHE)
    script, share = ("", 0.0) if sample.isascii() else _script(sample)
    if share > 0.5:
        return script
    language = _by_words(sample, default)
    return language or (script if share > 0.1 else default)


def hint_of(locale: str) -> str:
    """Return the language of a locale such as de-AT as an ISO 639-1 code; empty where it names none."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    return language if len(language) == 2 and language.isascii() and language.isalpha() else ""


def follow(texts: Iterable[str], *, default: str = "en") -> str:
    """Guess the language a conversation has come to: TEXTS are one author's messages, oldest first."""
    for text in texts:
        default = detect(text, default=default)
    return default


def name_of(language: str) -> str:
    """Name a language in English, as instructions to a model need it; the code itself where the name is unknown."""
    return _NAMES.get(language, language)


def _script(sample: str) -> tuple[str, float]:
    """Name the language of the most frequent script that is not Latin, and its share of the letters."""
    scripts = Counter(unicodedata.name(letter, "").partition(" ")[0] for letter in sample if letter.isalpha())
    latin = scripts.pop("LATIN", 0)
    known = [script for script in scripts if script in _SCRIPTS]
    if not known:
        return "", 0.0
    first = max(known, key=lambda script: scripts[script])
    written = sum(scripts[script] * (_IDEOGRAPH_WEIGHT if script in _IDEOGRAPHS else 1) for script in known)
    return _tell_apart(_SCRIPTS[first], sample), written / (written + latin)


def _tell_apart(language: str, sample: str) -> str:
    letters = set(sample)
    lines = _SCRIPT_LETTERS.get(language, ())
    return next((other for other, own in lines if not letters.isdisjoint(own)), language)


def _by_words(sample: str, default: str) -> str:
    """Name the language most words and letters speak for, or the empty string where they are too few."""
    words = _WORD.findall(_fold(sample))
    scores: dict[str, float] = {default: 0.0}
    for word in words:
        for language, weight in _WEIGHTS.get(word, ()):
            scores[language] = scores.get(language, 0.0) + weight
    if not sample.isascii():
        _score_letters(sample, scores)
    best = max(scores, key=lambda language: scores[language])  # the default comes first among equals
    if scores[best] >= _ENOUGH:
        return best
    alone = list(scores.values()).count(scores[best]) == 1
    return best if alone and scores[best] >= _SHARE * len(words) > 0 else ""


def _fold(sample: str) -> str:
    if sample.isascii():
        return sample
    return _ACCENT.sub("", unicodedata.normalize("NFKD", sample))


def _score_letters(sample: str, scores: dict[str, float]) -> None:
    for letter in sample:
        owners = _LETTER_OWNERS.get(letter, ())
        for language in owners:
            scores[language] = scores.get(language, 0.0) + _LETTER_WEIGHT / len(owners)
