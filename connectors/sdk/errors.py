"""The error tree; each class answers *who must act*.

HubError
├─ ConfigError        the merchant must change a setting: wrong token, missing scope, unknown warehouse
├─ TransientError     nobody: trying again later will help (timeout, 429, 5xx); `retry_after` in seconds
│  └─ UnansweredError nobody: a write left and its answer did not come; read back before writing again
├─ RejectedError      the merchant, about one record: the vendor understood and refused; `code`, its own words
├─ ContractError      the connector's author: the vendor answered in a shape we do not know; `sample`, redacted
└─ HubBug             us
"""


class HubError(Exception):
    """Base of everything Keruen raises on purpose. The message is one sentence: who must do what."""


class ConfigError(HubError):
    """Someone must change a setting."""


class TransientError(HubError):
    """Trying again later will help. `retry_after`: seconds the vendor asked for, None when it did not say.

    `lane`: the requests of the account that have to wait, as `Http` knows them; None: all of them.
    """

    def __init__(self, message: str, retry_after: float | None = None, *, lane: str | None = None):
        super().__init__(message)
        self.retry_after = retry_after
        self.lane = lane


class UnansweredError(TransientError):
    """The request left, the answer did not come (or was a 5xx after a write): the effect is unknown."""


class RejectedError(HubError):
    """A definite no to this record. `code` is the vendor's."""

    def __init__(self, message: str, code: str = "rejected"):
        super().__init__(message)
        self.code = code


class ContractError(HubError):
    """An answer in an unknown shape. `sample` is redacted and short."""

    def __init__(self, message: str, sample: str = ""):
        super().__init__(message)
        self.sample = sample


class HubBug(HubError):
    """Ours: please report it."""
