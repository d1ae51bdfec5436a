"""What pydantic found wrong with what a merchant wrote, in a merchant's words."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ValidationError

Steps = tuple[str | int, ...]


def complaint(error: ValidationError, model: type[BaseModel]) -> tuple[Steps, str]:
    """Where the first mistake is and what is wrong there; never what was written, it may be a secret."""
    found = error.errors(include_input=False, include_url=False)
    # a word that is missing may only be misspelt, and then that is what to mend
    strange = (one for one in found if one["type"] == "extra_forbidden")
    first = next(strange, found[0]) if found[0]["type"] == "missing" else found[0]
    place = first["loc"]
    match first["type"]:
        case "extra_forbidden":
            says = "there is no such setting" + _meant(str(place[-1]), _names(model, place[:-1]))
        case "missing":
            says = "it is missing"
        case "list_type" | "tuple_type":
            says = "it takes a list: [one, another], or a line with a dash for each"
        case "too_short":
            says = "there is nothing in it"
        case "string_type":
            says = "it takes a text: put it in quotes"
        case "model_type" | "dict_type":
            names = ", ".join(_names(model, place))
            says = f"it takes words with values of their own{': ' + names if names else ''}"
        case _:
            says = first["msg"].removeprefix("Value error, ")
    return place, says


def dotted(place: Steps) -> str:
    return ".".join(map(str, place))


def _meant(word: str, names: Sequence[str]) -> str:
    near = get_close_matches(word, names, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(names)}" if names else ""


def _names(model: type[BaseModel], place: Steps) -> list[str]:
    """Names that may stand there."""
    models = [model]
    for step in place:
        having = [one for one in models if step in _fields(one)]
        inside = [found for one in having for found in _models_in(_fields(one)[str(step)])]
        # a place in a list, or the word by which pydantic tells the members of a union apart, leads no deeper
        models = inside or having or models
    return list(dict.fromkeys(name for one in models for name in _fields(one)))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """What may be written → its type."""
    kinds = get_type_hints(model)
    return {field.alias or name: kinds[name] for name, field in model.model_fields.items()}


def _models_in(kind: Any) -> list[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [found for part in get_args(kind) for found in _models_in(part)]
