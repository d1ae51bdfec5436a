"""How a request proves who it is from. Each is a `requests` auth; secrets never show in a repr."""

import json
import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import Any

import requests
from pydantic import SecretStr
from requests import PreparedRequest
from requests.auth import AuthBase

from connectors.sdk.errors import ConfigError, TransientError
from connectors.sdk.redact import sample


@dataclass(frozen=True)
class Bearer(AuthBase):
    """`Authorization: Bearer <secret>`."""

    secret: SecretStr = field(repr=False)
    header: str = "Authorization"
    prefix: str = "Bearer "

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers[self.header] = self.prefix + self.secret.get_secret_value()
        return request


@dataclass(frozen=True)
class ApiKey(AuthBase):
    """The key alone, in a header of the vendor's choosing."""

    header: str
    secret: SecretStr = field(repr=False)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers[self.header] = self.secret.get_secret_value()
        return request


@dataclass(frozen=True)
class Basic(AuthBase):
    """HTTP Basic in UTF-8: a login or password with Kazakh letters survives (requests' own would encode Latin-1)."""

    login: str = field(repr=False)
    secret: SecretStr = field(repr=False)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        pair = f"{self.login}:{self.secret.get_secret_value()}".encode()
        request.headers["Authorization"] = "Basic " + b64encode(pair).decode()
        return request


@dataclass(frozen=True)
class Rotating(AuthBase):
    """OAuth 2.0 for vendors who replace the refresh token at each use, so that the last pair must survive the process.

    A request that is refused as `expired` has done nothing: the token is refreshed and the request sent once more.
    `place` puts the token into a request. `keep`: the file of the current pair, readable by its owner only; one process
    refreshes at a time, the others take what it got. `first`: the refresh token in the connection's secrets; a new one
    there begins a new chain. Raises ConfigError where the vendor refuses to refresh, TransientError where it is away.
    """

    url: str
    client_id: str
    secret: SecretStr = field(repr=False)
    first: SecretStr = field(repr=False)
    keep: Path
    expired: Callable[[requests.Response], bool]
    place: Callable[[PreparedRequest, str], None]

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        bare, token = request.copy(), self._kept().get("access_token", "")
        self.place(request, token or self._refreshed(token))

        def again(response: requests.Response, **sending: Any) -> requests.Response:
            if not self.expired(response):
                return response
            _ = response.content
            self.place(bare, self._refreshed(token))
            return response.connection.send(bare, **sending)

        request.register_hook("response", again)  # type: ignore[no-untyped-call]
        return request

    @property
    def _chain(self) -> str:
        return sha256(self.first.get_secret_value().encode()).hexdigest()

    def _kept(self) -> dict[str, str]:
        """The current pair; empty where there is none yet, or it descends from a refresh token since replaced."""
        try:
            pair: dict[str, str] = json.loads(self.keep.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return pair if pair.get("chain") == self._chain else {}

    def _refreshed(self, refused: str) -> str:
        """A token other than the one that was refused."""
        with self._alone():
            pair = self._kept()
            if pair.get("access_token", refused) == refused:
                pair = self._asked(pair.get("refresh_token") or self.first.get_secret_value())
                self._store(pair)
            return pair["access_token"]

    def _asked(self, refresh_token: str) -> dict[str, str]:
        asked = {"grant_type": "refresh_token", "client_id": self.client_id, "refresh_token": refresh_token}
        secrets = (self.secret, self.first, SecretStr(refresh_token))
        try:
            reply = requests.get(
                self.url, {**asked, "client_secret": self.secret.get_secret_value()}, timeout=(10, 30),
                allow_redirects=False,
            )  # fmt: skip
        except requests.RequestException as broken:
            # `from None`: the library's message quotes the address, and the secret stands in its query.
            raise TransientError(f"the token was not refreshed ({type(broken).__name__}); nothing was sent") from None
        if reply.status_code == 429 or reply.status_code >= 500:
            raise TransientError(f"the token was not refreshed ({reply.status_code}); nothing was sent")
        try:
            said = reply.json()
            return {name: str(said[name]) for name in ("access_token", "refresh_token")}
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                f"the token cannot be refreshed ({reply.status_code}: {sample(reply.text, secrets)}); install the "
                "application again and put its new refresh token into the connection's secrets"
            ) from None

    def _store(self, pair: dict[str, str]) -> None:
        """All of it or nothing: a lost refresh token cannot be asked for again."""
        beside = self.keep.with_suffix(".new")
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump({**pair, "chain": self._chain}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.keep)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.keep.parent.mkdir(parents=True, exist_ok=True)
        with self.keep.with_suffix(".lock").open("w") as lock:
            flock(lock, LOCK_EX)
            yield
