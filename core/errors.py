"""Every error Frontdesk raises on purpose.

FrontdeskError            something a person can be told in one sentence
├── UsageError            the caller asked for something that is not there or not allowed (exit code 2)
│   ├── NotFound          no such knowledge base, document, session or ticket in this tenant
│   └── TooLarge          over a stated limit
├── Refused               the request is understood and denied; the sentence says why
│   ├── UnreadableDocument  a file that cannot be turned into text
│   ├── Overloaded        too much of the same sender is waiting
│   └── Rejected          a platform refuses what we send, for good
├── Superseded            another worker has taken this work over; drop it
└── Unavailable           a part we depend on is not there; trying again later may help
    ├── StoreUnavailable  PostgreSQL
    ├── ModelUnavailable  the server that embeds or answers
    └── ChannelUnavailable  a platform's server
        ├── Busy          it wants us to wait
        └── Uncertain     it may or may not have accepted what we sent

The message of an error is one sentence that says what to do; the cause stays in ``__cause__``.
Errors of drivers and SDKs are mapped to these in the adapter that calls them.
"""


class FrontdeskError(Exception):
    """Tell a person, in one sentence, what went wrong and what to do."""


class UsageError(FrontdeskError):
    """Say that the call itself is wrong."""


class NotFound(UsageError):
    """Say that the named thing does not exist in this tenant."""


class TooLarge(UsageError):
    """Say that the input is over a stated limit."""


class Refused(FrontdeskError):
    """Say that the request is denied and why."""


class UnreadableDocument(Refused):
    """Say why a document cannot be turned into text."""


class Unavailable(FrontdeskError):
    """Say that a part we depend on does not answer."""


class StoreUnavailable(Unavailable):
    """Say that PostgreSQL does not answer."""


class ModelUnavailable(Unavailable):
    """Say that the server that embeds or answers does not."""


class Overloaded(Refused):
    """Say that too much of the same sender is waiting, and when to come back."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Rejected(Refused):
    """Say that a platform refuses what we send, for good."""


class Superseded(FrontdeskError):
    """Say that another worker has taken this work over."""


class ChannelUnavailable(Unavailable):
    """Say that a platform's server does not answer."""


class Busy(ChannelUnavailable):
    """Say that a platform wants us to wait."""

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Uncertain(ChannelUnavailable):
    """Say that a platform may or may not have accepted what we sent."""
