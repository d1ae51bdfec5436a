"""`keruen order`: what only a person may ask of an order. It goes out as a change like any other, with a plan."""

import getpass
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from connectors.sdk.errors import ConfigError
from dagster_project import clock
from dagster_project.commands.output import out, plain, print_json, says_who_must_act
from dagster_project.commands.store import hub_store
from dagster_project.connections import load
from dagster_project.steps import ask as asking

app = typer.Typer(no_args_is_help=True)
Order = Annotated[str, typer.Argument(metavar="ORDER", help="connection:number, as `keruen explain order` shows it.")]
Reason = Annotated[str, typer.Option(help="out_of_stock, buyer, unreachable …, or the channel's own word.")]
Comment = Annotated[str | None, typer.Option(help="Goes to the channel with the reason; name no people.")]
Lines = Annotated[list[str] | None, typer.Option("--line", help="LINE=QUANTITY that stays; 0 takes the line out.")]
Weights = Annotated[list[str] | None, typer.Option("--weight", help="LINE=GRAMS that stay of weighed goods.")]
Why = Annotated[str, typer.Option(help="Kept beside who asked.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@app.command()
@says_who_must_act
def cancel(order: Order, reason: Reason, comment: Comment = None, why: Why = "", as_json: Json = False) -> None:
    """Cancel an order at its origin. What it does to a seller's rating is the channel's affair.

    Example: keruen order cancel shop:1042 --reason out_of_stock
    """
    _ask(order, {"status": "cancelled", "reason": reason, **_said(comment)}, why, as_json)


@app.command()
@says_who_must_act
def keep(
    order: Order, reason: Reason, lines: Lines = None, weights: Weights = None, comment: Comment = None, why: Why = "",
    as_json: Json = False,
) -> None:  # fmt: skip
    """Cancel a part: say what stays of each line that shrinks; lines that are not named stay whole.

    Example: keruen order keep shop:1042 --line 0=1 --line 2=0 --reason out_of_stock
    """
    stays: dict[str, dict[str, Any]] = {}
    for unit, said in (("quantity", lines), ("weight_g", weights)):
        for line, amount in _amounts(said or ()):
            stays.setdefault(line, {})[unit] = amount
    if not stays:
        raise ConfigError("say what stays: --line LINE=QUANTITY, or --weight LINE=GRAMS")
    _ask(order, {"keep": stays, "reason": reason, **_said(comment)}, why, as_json)


@app.command()
@says_who_must_act
def arrived(order: Order, why: Why = "", as_json: Json = False) -> None:
    """Tell the channel that the goods of a pre-order have come to the warehouse.

    Example: keruen order arrived shop:1042
    """
    _ask(order, {"arrived": True}, why, as_json)


@app.command()
@says_who_must_act
def returned(order: Order, why: Why = "", as_json: Json = False) -> None:
    """Confirm that goods which travelled back are here. Stock rises when the channel says so too.

    Example: keruen order returned shop:1042
    """
    _ask(order, {"status": "returned"}, why, as_json)


@app.command()
@says_who_must_act
def withdraw(order: Order) -> None:
    """Take back what was asked of an order, as far as it was not sent.

    Example: keruen order withdraw shop:1042
    """
    with hub_store() as engine:
        stood = asking.withdraw(engine, load(), order)
    out.print("taken back" if stood else "nothing was asked of it")


def _ask(order: str, asked: Mapping[str, Any], why: str, as_json: bool) -> None:
    with hub_store() as engine:
        whole = asking.ask(engine, load(), order, asked, who=getpass.getuser(), why=why, now=clock.now())
    if as_json:
        print_json({"order": order, "asked": whole})
    else:
        out.print(f"{order}: asked; it is planned and sent by `keruen up` or the next `keruen sync`", markup=False)


def _said(comment: str | None) -> dict[str, str]:
    return {"comment": comment} if comment else {}


def _amounts(said: Iterable[str]) -> list[tuple[str, int | float]]:
    """`0=1` → ("0", 1). Raises ConfigError for anything else."""
    found = []
    for one in said:
        line, _, amount = one.partition("=")
        try:
            found.append((line.strip(), plain(Decimal(amount))))
        except InvalidOperation:
            raise ConfigError(f"{one!r} is no LINE=AMOUNT, e.g. 0=1") from None
    return found
