"""How a channel in trouble answers."""

from collections.abc import Callable, Iterator, Sequence

from connectors.sdk import Change, Outcome
from dagster_project.store.ledger import Queue

QUEUE = Queue("shop", "stock.push")


def fails(error: Exception) -> Callable[[Sequence[Change]], Iterator[Outcome]]:
    def answer(changes: Sequence[Change]) -> Iterator[Outcome]:
        raise error
        yield

    return answer
