"""Who may enter MoySklad's sandbox, and how often: tokens, the budget of 45 units, the lock-out (contract 1 and 2)."""

from base64 import b64decode
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from secrets import token_hex

from connectors.moysklad.config import TokenKind, weight
from connectors.moysklad.simulator.books import Refusal

BUDGET, WINDOW = 45, 3.0
MINUTE = 60.0
PARALLEL = 5
MOST = {"failure": 200, "429": 200, "PUT": 100}
"""More of one kind in a minute and the user is locked out."""
HEAVY = {"report/stock/all": 5, "report/stock/bystore": 5}


@dataclass
class User:
    """A token's owner. `used` units since `start`; `lately`: when each kind of trouble happened."""

    kind: TokenKind
    start: float = 0.0
    used: int = 0
    locked: bool = False
    lately: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))


@dataclass
class Door:
    """`busy`: requests of the user's other programs that are running now; five together are too many."""

    login: str
    password: str
    users: dict[str, User]
    clock: Callable[[], datetime]
    busy: int = 0

    def ticks(self) -> float:
        return self.clock().timestamp()

    def user(self, authorization: str) -> User:
        """Raises Refusal (401)."""
        scheme, _, given = authorization.partition(" ")
        if scheme == "Bearer" and given in self.users:
            return self.users[given]
        if scheme == "Basic" and b64decode(given).decode() == f"{self.login}:{self.password}":
            return self.users.setdefault(self.login, User("password"))
        raise Refusal(401, 1056, "Ошибка аутентификации: неправильный пароль или имя пользователя или ключ авторизации")

    def new_token(self, kind: TokenKind = "user") -> str:
        """A new token ends all earlier ones of its user."""
        token = token_hex(20)
        self.users = {name: user for name, user in self.users.items() if user.kind != kind} | {token: User(kind)}
        return token

    def units(self, user: User, path: str) -> int:
        return HEAVY.get(path) or weight(user.kind, self.clock().date())

    def spend(self, user: User, path: str, method: str) -> None:
        """Takes the request's price from the window. Raises Refusal (429, or 403 once locked out)."""
        if method == "PUT":
            self.trouble(user, "PUT", path)
        if user.locked:
            raise Refusal(403, 1061, "Доступ к API отключён; обратитесь в поддержку")
        if self.busy >= PARALLEL:
            self.trouble(user, "429", "")
            raise Refusal(429, 1073, "Превышено ограничение на количество параллельных запросов")
        now, units = self.ticks(), self.units(user, path)
        if now - user.start >= WINDOW:
            user.start, user.used = now, 0
        if user.used + units > BUDGET:
            self.trouble(user, "429", "")
            raise Refusal(429, 1049, "Превышено ограничение на количество запросов")
        user.used += units

    def headers(self, user: User, path: str, refused: bool) -> dict[str, str]:
        """The budget in requests like this one; times in milliseconds."""
        units, left = self.units(user, path), BUDGET - user.used
        reset = max(0, round((user.start + WINDOW - self.ticks()) * 1000))
        wait = {"X-Lognex-Retry-After": str(reset or 1)} if refused else {}
        return wait | {
            "X-RateLimit-Limit": str(BUDGET // units),
            "X-RateLimit-Remaining": str(left // units),
            "X-Lognex-Retry-TimeInterval": str(int(WINDOW * 1000)),
            "X-Lognex-Reset": str(reset if left < units else 0),
        }

    def trouble(self, user: User, kind: str, what: str) -> None:
        """Locks the user out after too much of the same within a minute."""
        times = user.lately[f"{kind} {what}"]
        times.append(self.ticks())
        while times[0] < times[-1] - MINUTE:
            times.popleft()
        user.locked = user.locked or len(times) > MOST[kind]


def identity(method: str, url: str, body: bytes) -> str:
    """Identical requests are those with the same address and body."""
    return f"{method} {url} {blake2b(body, digest_size=8).hexdigest()}"


def manners(headers: Mapping[str, str]) -> None:
    """Raises Refusal: 415 with an empty body without gzip, 1062 on an Accept that is not JSON."""
    if "gzip" not in headers.get("accept-encoding", ""):
        raise Refusal(415, 0, "")
    if headers.get("accept", "").replace(" ", "") not in ("application/json;charset=utf-8", "application/json"):
        raise Refusal(400, 1062, "Неверное значение заголовка Accept: укажите application/json;charset=utf-8")
