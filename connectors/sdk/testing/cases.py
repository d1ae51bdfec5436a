"""Saved vendor replies, what they map to, and where they come from.

`<cases>/<resource>/<case>.raw.json` is a reply or one record; `<case>.canonical.json` is the golden file, as
`{"mapped": […], "quarantined": […]}`; `provenance.yaml` says of each case `from: recorded | vendor_docs | invented`.
With `KERUEN_GOLDEN=write` in the environment, missing golden files are written: read them before you keep them.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from connectors.sdk.spec import Record, Resource
from mappings.tables import Mapped

NEEDS = {"recorded": ("on", "api"), "vendor_docs": ("at",), "invented": ()}
"""What a provenance must tell beside `from`: the day and API version of a recording, the address of a document."""


@dataclass(frozen=True)
class Case:
    """One saved reply of one resource."""

    resource: Resource
    raw: Path

    @property
    def name(self) -> str:
        return self.raw.name.removesuffix(".raw.json")

    @property
    def golden(self) -> Path:
        return self.raw.with_name(f"{self.name}.canonical.json")

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """The reply's records; a file that is no reply of the resource is one record itself."""
        said = json.loads(self.raw.read_text("utf-8-sig"))
        found = self.resource.reads(said)
        return tuple(found) if found is not None else (said,)

    def mapped(self, config: Any) -> dict[str, Any]:
        """What the records map to, in the form of a golden file; defaults are left out."""
        mapped: list[dict[str, Any]] = []
        aside: list[dict[str, str]] = []
        for record in self.records:
            for entity, to_entity in self.resource.maps.items():
                made = to_entity(record, config)
                if isinstance(made, Mapped):
                    mapped += [
                        {"entity": entity, **one.model_dump(mode="json", exclude_defaults=True)} for one in made.records
                    ]
                else:
                    aside.append({"entity": entity, "rule": made.rule, "reason": made.reason})
        return {"mapped": mapped, "quarantined": aside}

    def expected(self, config: Any) -> dict[str, Any] | None:
        """The golden file; None where there is none and none was asked to be written."""
        if not self.golden.exists():
            if os.environ.get("KERUEN_GOLDEN") != "write":
                return None
            text = json.dumps(self.mapped(config), ensure_ascii=False, indent=2)
            self.golden.write_text(text + "\n", "utf-8")
        found: dict[str, Any] = json.loads(self.golden.read_text("utf-8"))
        return found


def cases_of(resource: Resource, folder: Path) -> tuple[Case, ...]:
    return tuple(Case(resource, path) for path in sorted((folder / resource.name).glob("*.raw.json")))


def provenance(resource: Resource, folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Case → where it comes from."""
    path = folder / resource.name / "provenance.yaml"
    return yaml.safe_load(path.read_text("utf-8")) or {} if path.exists() else {}


def wrong_with_provenance(case: Case, said: Mapping[str, Mapping[str, Any]]) -> str | None:
    """What provenance.yaml leaves open about a case."""
    about = said.get(case.name)
    if not isinstance(about, Mapping) or about.get("from") not in NEEDS:
        return f"{case.raw.name}: provenance.yaml must say `from`: {', '.join(NEEDS)}"
    missing = [name for name in NEEDS[about["from"]] if not about.get(name)]
    return f"{case.raw.name}: {about['from']} needs {', '.join(missing)}" if missing else None
