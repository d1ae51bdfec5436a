"""What pydantic found wrong with a merchant's settings, in a merchant's words."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError


def complaint(error: ValidationError, model: type[BaseModel]) -> tuple[str, str]:
    """(dotted place, what is wrong there) of the first mistake; never what was written, it may be a secret."""
    first = error.errors(include_input=False, include_url=False)[0]
    place = [str(step) for step in first["loc"]]
    match first["type"]:
        case "extra_forbidden":
            says = "there is no such setting" + _meant(place[-1], _names(model, place[:-1]))
        case "missing":
            says = "it is missing"
        case _:
            says = first["msg"].removeprefix("Value error, ")
    return ".".join(place), says


def _meant(word: str, names: Sequence[str]) -> str:
    near = get_close_matches(word, names, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(names)}" if names else ""


def _names(model: Any, place: Sequence[str]) -> list[str]:
    """Names that may stand there."""
    for step in place:
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        model = fields[step].annotation if step in fields else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return [field.alias or name for name, field in model.model_fields.items()]
