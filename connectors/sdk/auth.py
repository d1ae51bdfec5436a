"""How a request proves who it is from. Each is a `requests` auth; secrets never show in a repr."""

from base64 import b64encode
from dataclasses import dataclass, field

from pydantic import SecretStr
from requests import PreparedRequest
from requests.auth import AuthBase


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
