"""What a connector may be told: its settings class as rows, and as the table of its README."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from connectors.sdk.spec import ConnectorSpec


def settings_of(spec: ConnectorSpec) -> list[dict[str, str]]:
    """Each setting with its default as connections.yaml would write it, or `required`; secrets are named as such."""
    return [
        {"setting": name, "default": _default(about), "what": f"{about.description or ''}{_choices(about)}"}
        for name, about in spec.config.model_fields.items()
    ]


def as_markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """The table of the README; `tests/test_docs.py` holds the two equal."""
    lines = [" | ".join((f"`{row['setting']}`", _cell(row["default"]), _cell(row["what"]))) for row in rows]
    return "\n".join(["| setting | default | what |", "|---|---|---|", *(f"| {line} |" for line in lines)])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(about: FieldInfo) -> str:
    secret = SecretStr in {about.annotation, *get_args(about.annotation)}
    if about.is_required():
        return "required, secret" if secret else "required"
    value = about.get_default(call_default_factory=True)
    return "secret" if secret else "" if value in (None, (), {}) else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    """On one line, as a merchant would type it."""
    dumped = yaml.safe_dump(
        to_jsonable_python(value), default_flow_style=True, sort_keys=False, allow_unicode=True, width=1000
    )
    return dumped.strip().removesuffix("...").strip()


def _choices(about: FieldInfo) -> str:
    if get_origin(about.annotation) is not Literal:
        return ""
    return f" One of {', '.join(f'`{choice}`' for choice in get_args(about.annotation))}."
