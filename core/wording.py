"""The fixed sentences people read, in the languages of core/catalogues.

The English sentence is the message of the gettext catalogues. A language without a catalogue gets English.
"""

from collections.abc import Sequence
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib import resources

from core.redact import Hidden
from core.secret_rules import SecretKind

TRANSLATIONS = ("de", "es", "fr")  # ISO 639-1; English needs none

# Messages for `say`.
EXTRACTIVE = "No language model is configured: these are quotations from the documents."
MODEL_SILENT = "The language model did not answer: these are quotations from the documents."
LEXICAL_ONLY = "The embedding model did not answer: only documents that share words with the question were found."
NO_WEIGHTS = "No embedder is installed: only documents that share words with the question are found."
CUT = "The answer stops here because it reached the longest length allowed; ask about one part of it to read more."
BROKE_OFF = "The answer broke off; once more:"
NOBODY = "There is nobody here I could hand this to; please ask the way you did before Frontdesk."
A_PERSON = "A person"
SOURCES = "Sources:"
NEW_CONVERSATION = "A new conversation."
EMPTY_QUESTION = "The question is empty; write what you would like to know."
STOPPED = "Stopped."
NOT_ANSWERED = "I could not answer this, although I tried several times."
FILES_UNREAD = "I cannot read files here."
UNAVAILABLE = "I cannot answer at the moment, and your question was not saved; please ask it again in a few minutes."
HELPFUL = "Helpful"
NOT_HELPFUL = "Not helpful"
NEED_PERSON = "I need a person"
SHARE = "Share with channel"
SHARED_BY = "Shared by {name}"
SHARED = "The answer is in the channel now."
TICKET = "Ticket {number}"
SOURCE_NUMBER = "Source {number}"
PAGE = "Page {number}"
SOURCE_GONE = "This source is no longer there; ask again to see where the answer stands now."
WHAT_WAS_WRONG = "What was wrong with the answer?"
YOUR_FEEDBACK = "Your feedback"
SEND = "Send"
CLOSE = "Close"
FILE_NOT_SENT = "I could not send you the file; an administrator can allow it in the settings of this app."
LOOKING_UP = "is looking it up …"
LOOKING = "Looking it up …"
HANDED_ON = "I hand this to a person."
SHARE_IN_CHAT = "Share with chat"
SHARED_IN_CHAT = "The answer is in the chat now."
JOB = "Job {number}"
ANSWER_NOT_DELIVERED = "Your answer to ticket {number} was not delivered: {reason}"
TALK_TO_PERSON = "Talk to a person"
STOP_ANSWER = "Stop answering"
RATED = "Thank you for your rating."
BUTTON_GONE = "This button no longer works; please ask again."
TICKET_WAITS = "A person will answer here."
TICKET_HAS_ANSWER = "A person has answered."
TICKET_IS_OVER = "This ticket is closed."
WITHDRAWN = "This answer was withdrawn."
SOMEBODY = "Somebody"
IT_WAS_DELETED = "The message it belongs to was deleted."
CANNOT_WRITE_THERE = "I can no longer write in the channel it belongs to."
ANSWERED_ALONE = "(I have answered the author alone.)"
PERSONAL = "You alone see this answer: it rests on documents that are not open to this channel."
ASKED_IN = "You asked in {place}:"
FILES_STAY = "Files are not passed on to the author; write what they say, or give a link."
ELSEWHERE = "I have answered you in our private chat."
UNKNOWN_TENANT = "This Frontdesk does not serve your organisation; ask whoever runs it to add the tenant {tenant}."
WRITE_FIRST = "This is for you alone, and I may not write to you yet. Open {link} and press Start, then ask me again."
NO_VOICE = "I cannot listen to voice messages yet; please write your question."
NO_SOUND = "I cannot listen to recordings yet; please write your question."
NO_VIDEO = "I cannot watch videos yet; please write your question."
NO_ANIMATION = "I cannot see animations; please write your question."
NO_STICKER = "I cannot see stickers; please write your question."
NO_LOCATION = "I cannot read locations; please write your question, and where it is about in words."
NO_CONTACT = "I cannot read contacts; please write your question."
NO_POLL = "I cannot take part in polls; please write your question."
NO_OTHER = "I cannot read this kind of message; please write your question."
STOPS_OWN = "Only whoever asked can stop this answer."
AS_A_GROUP = (
    "This is for you alone, but you write here as the group; write to me in our private chat, "
    "or turn off that you stay anonymous, and ask me again."
)
REFRESH = "Refresh"
APP_SHORT = "Answers questions from your organisation's documents, with sources."
APP_LONG = (
    "Write to me, or mention me in a channel or a group chat: I answer from the documents your "
    "administrators have added and name the passages I answer from. Where the documents hold no answer I "
    "say so, and a person can answer in the same place."
)

# Administrators read these in a ticket; they stay English, so that tickets can be told apart by them.
REASON_ASKED = "The author asked for a person."
REASON_NOTHING_FOUND = "The documents hold no answer."

_NOTHING_FOUND = "I found nothing about this in the documents I may read here."
_TICKET_OPENED = "I opened ticket {number}; a person will answer here."
_OFFER = "Would you like a person to look at it? Write: human"
_FILES_READ = "I have read {names}. What would you like to know?"
_PERSON_ANSWERED = "A person answered ticket {number}:"
_TOO_LONG = "The question has {length} characters and the limit is {limit}; shorten it, or add the text as a document."
_HIDDEN = "I hid {parts} before anything was stored."
_AND = "{first} and {last}"

# What is hidden, as the object of "I hid": one, and several.
_KINDS = {
    SecretKind.ACCESS_KEY: ("an access key", "{count} access keys"),
    SecretKind.TOKEN: ("an access token", "{count} access tokens"),
    SecretKind.PRIVATE_KEY: ("a private key", "{count} private keys"),
    SecretKind.PASSWORD: ("a password", "{count} passwords"),
    SecretKind.CONNECTION_STRING: ("a password in an address", "{count} passwords in an address"),
    SecretKind.CARD: ("a card number", "{count} card numbers"),
    SecretKind.IBAN: ("an IBAN", "{count} IBANs"),
    SecretKind.NATIONAL_ID: ("a national identity number", "{count} national identity numbers"),
    SecretKind.EMAIL: ("an e-mail address", "{count} e-mail addresses"),
    SecretKind.PHONE: ("a phone number", "{count} phone numbers"),
    SecretKind.IP: ("an IP address", "{count} IP addresses"),
}
# What separates thousands, and the smallest number that is separated.
_THOUSANDS = {"en": (",", 1_000), "de": (".", 1_000), "es": ("\u202f", 10_000), "fr": ("\u202f", 1_000)}


def say(message: str, language: str = "en", **values: str | int) -> str:
    """Write the English MESSAGE in LANGUAGE with VALUES in its places; what no catalogue has comes back as it is."""
    if not message:
        return ""  # gettext answers the empty message with the catalogue's own header
    translated = _catalogue(_base(language)).gettext(message)
    return translated.format(**values) if values else translated


def say_count(one: str, several: str, count: int, language: str = "en") -> str:
    """Write ONE or SEVERAL, whichever LANGUAGE wants for COUNT, with COUNT in its place."""
    return _catalogue(_base(language)).ngettext(one, several, count).format(count=count)


def nothing_found(ticket_number: int | None, *, offer: bool, language: str = "en") -> str:
    """Say that there is no answer, and what happens next."""
    nothing = say(_NOTHING_FOUND, language)
    if ticket_number is not None:
        return f"{nothing} {handed_over(ticket_number, language)}"
    return f"{nothing} {say(_OFFER, language)}" if offer else nothing


def handed_over(ticket_number: int, language: str = "en") -> str:
    """Say that a person will answer."""
    return say(_TICKET_OPENED, language, number=ticket_number)


def not_answered(ticket_number: int | None, language: str = "en") -> str:
    """Say that a message was given up, and what happens next."""
    sorry = say(NOT_ANSWERED, language)
    return sorry if ticket_number is None else f"{sorry} {handed_over(ticket_number, language)}"


def files_read(names: Sequence[str], language: str = "en") -> str:
    """Say which files were read, and that they can be asked about; the empty string where none was."""
    if not names:
        return ""
    *first, last = names
    listed = say(_AND, language, first=", ".join(first), last=last) if first else last
    return say(_FILES_READ, language, names=listed)


def person_answered(ticket_number: int, language: str = "en") -> str:
    """Introduce a person's answer."""
    return say(_PERSON_ANSWERED, language, number=ticket_number)


def too_long(length: int, limit: int, language: str = "en") -> str:
    """Say that a question of LENGTH characters is over LIMIT."""
    return say(_TOO_LONG, language, length=_number(length, language), limit=_number(limit, language))


def hidden(parts: Sequence[Hidden], language: str = "en") -> str:
    """Say in one sentence what was hidden; the empty string where nothing was."""
    if not parts:
        return ""
    *first, last = (say_count(*_KINDS[part.kind], part.count, language) for part in parts)
    listed = say(_AND, language, first=", ".join(first), last=last) if first else last
    return say(_HIDDEN, language, parts=listed)


@cache
def _catalogue(language: str) -> NullTranslations:
    if language not in TRANSLATIONS:
        return NullTranslations()
    path = resources.files("core").joinpath("catalogues", language, "LC_MESSAGES", "frontdesk.mo")
    with path.open("rb") as file:
        return GNUTranslations(file)


def _base(language: str) -> str:
    """Drop the region: de-AT and de_AT are de."""
    base = language.replace("_", "-").partition("-")[0].lower()
    return base if base in TRANSLATIONS else "en"


def _number(number: int, language: str) -> str:
    separator, smallest = _THOUSANDS[_base(language)]
    return f"{number:,}".replace(",", separator) if number >= smallest else str(number)
