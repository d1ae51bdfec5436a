"""What a connector says of itself, before it is run."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import yaml
from pydantic import SecretStr

from connectors.sdk.registry import wrong_with
from connectors.sdk.testing.cases import cases_of, provenance, wrong_with_provenance
from connectors.sdk.testing.kit import DoesNotApply, Kit, require

SECRET = re.compile(r"(^|_)(token|secret|password|passwd|api_?key|key)$")
LEVELS = ("bronze", "silver", "gold")
ALONE = """
import importlib, socket, sys
def refuse(*args, **kwargs):
    raise OSError("the network was touched")
socket.socket.connect = socket.getaddrinfo = refuse
importlib.import_module(sys.argv[1])
"""


def the_registry_takes_it(kit: Kit) -> None:
    wrong = wrong_with(kit.spec, kit.spec.name)
    require(wrong is None, f"{kit.spec.name}: {wrong}")
    require(kit.spec.title.strip(), "give the connector a title that merchants know the system by")


def every_setting_is_described(kit: Kit) -> None:
    for name, setting in kit.spec.config.model_fields.items():
        require(setting.description, f"the setting {name} has no description; say where a merchant finds its value")


def secrets_are_secret(kit: Kit) -> None:
    for name, setting in kit.spec.config.model_fields.items():
        if SECRET.search(name):
            kinds = {setting.annotation, *get_args(setting.annotation)}
            require(SecretStr in kinds, f"the setting {name} holds a secret; declare it as SecretStr")
    for secret in kit.secrets:
        require(secret not in repr(kit.config), "repr(config) shows a secret")


def it_can_be_pointed_at_a_sandbox(kit: Kit) -> None:
    if not kit.networked:
        raise DoesNotApply("it speaks to no network")
    require("base_url" in kit.spec.config.model_fields, "every networked connector has the setting base_url")


def every_resource_says_what_it_reads(kit: Kit) -> None:
    for resource in kit.resources:
        require(
            resource.description, f"{resource.name}: give its generator a docstring; it becomes the asset's description"
        )


def importing_it_touches_nothing(kit: Kit) -> None:
    """In a process with an empty environment and no network, as Dagster loads definitions on a laptop."""
    module = kit.spec.config.__module__
    if module == "__main__" or importlib.util.find_spec(module.partition(".")[0]) is None:
        raise DoesNotApply("its module cannot be imported by name")
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PATH": os.defpath}
    done = subprocess.run(
        [sys.executable, "-c", ALONE, module], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    last = (done.stderr.strip().splitlines() or ["no message"])[-1]
    require(done.returncode == 0, f"importing {module} needs network or environment: {last}")
    require(not done.stdout, f"importing {module} prints: {done.stdout[:80]!r}")


def merchants_have_a_readme(kit: Kit) -> None:
    folder = _package(kit)
    readme = folder / "README.md"
    require(
        readme.is_file() and readme.read_text("utf-8").strip(),
        f"write {readme.name} for merchants beside the connector",
    )


def its_quality_is_what_it_claims(kit: Kit) -> None:
    """`quality.yaml`: a level, and of every rule up to it `done` or `{exempt: why}`; `{open: …}` only above it."""
    path = _package(kit) / "quality.yaml"
    require(path.is_file(), "write quality.yaml: which rules are done, exempt (with reason), or open")
    said = yaml.safe_load(path.read_text("utf-8"))
    level = said.get("level") if isinstance(said, dict) else None
    require(level in LEVELS, f"quality.yaml: level is one of {', '.join(LEVELS)}")
    reached = LEVELS[: LEVELS.index(level) + 1]
    for name in reached:
        for rule, state in (said.get(name) or {}).items():
            fine = state == "done" or (isinstance(state, dict) and state.get("exempt"))
            require(fine, f"quality.yaml claims {level}, but {name}: {rule} is neither done nor exempt with a reason")
    if level != "bronze" and kit.cases is not None:
        kinds = {
            about.get("from") for resource in kit.spec.resources for about in provenance(resource, kit.cases).values()
        }
        require(kinds - {"invented", None} or not kit.spec.resources, f"all cases are invented: bronze, not {level}")
    if level == "gold":
        readable = all(sink.read_back or sink.mode == "snapshot" for sink in kit.spec.sinks)
        require(kit.spec.sinks and readable and kit.make_sandbox, "gold writes back, reads back and has a sandbox")


def every_case_says_where_it_is_from(kit: Kit) -> None:
    if kit.cases is None:
        raise DoesNotApply("no recorded cases at hand")
    for resource in kit.resources:
        found, said = cases_of(resource, kit.cases), provenance(resource, kit.cases)
        require(found, f"{resource.name} has no case: save a reply as {resource.name}/<case>.raw.json")
        for case in found:
            require((wrong := wrong_with_provenance(case, said)) is None, f"{resource.name}: {wrong}")


def keys_and_cursors_stand_in_the_cases(kit: Kit) -> None:
    for resource, where, record in kit.samples:
        try:
            resource.key_of(record)
        except KeyError as error:
            require(False, f"{where}: {error.args[0]}; mend the resource's key")
        if resource.cursor is not None:
            require(
                resource.cursor_of(record) is not None, f"{where}: no {resource.cursor}; mend the resource's cursor"
            )


def _package(kit: Kit) -> Path:
    """Where the connector's files lie."""
    module = sys.modules.get(kit.spec.config.__module__)
    path = getattr(module, "__file__", None)
    if path is None or Path(path).name not in {"__init__.py", "config.py"}:
        raise DoesNotApply("the connector is no package with files of its own")
    return Path(path).parent
