"""The segment that a demo with people brings along: buyers who come again, for whoever keeps audiences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from dagster_project.home import home
from dagster_project.simulators import Simulator

NAME = "regulars"
CONSENT = {"channel": "email", "purpose": "marketing"}


def write_segment(players: Sequence[Simulator], mark: str) -> None:
    """segments/regulars.yaml where anybody on stage may show it, else what an earlier demo left of it goes. Nothing
    leaves before somebody activates it."""
    channels = [one.name for one in players if _shows(one)]
    if not channels:
        _file().unlink(missing_ok=True)
        return
    _file().parent.mkdir(exist_ok=True)
    _file().write_text(f"{mark}\n{yaml.safe_dump(_segment(channels), sort_keys=False, allow_unicode=True)}", "utf-8")


def _file() -> Path:
    return home() / "segments" / f"{NAME}.yaml"


def _shows(player: Simulator) -> bool:
    """Letters ask for the consent of this segment; to a CRM its members are a mere mark on a card."""
    return any("segment.push" in sink.capabilities and sink.reaches in (None, "email") for sink in player.spec.sinks)


def _segment(channels: Sequence[str]) -> dict[str, Any]:
    return {
        "segment": NAME,
        "title": {"ru": "Постоянные покупатели", "kk": "Тұрақты сатып алушылар", "en": "Regulars"},
        "owner": "crm",
        "refresh": "on_change",
        "where": {"all": [{"field": "orders.count", "op": ">=", "value": 3},
                          {"field": "orders.last", "op": "within", "value": "45d"}]},
        "hold_out": "10%",
        "consent": CONSENT,
        "activate": [{"channel": one, "audience": NAME} for one in channels],
    }  # fmt: skip


def to_try(keruen: str) -> list[str]:
    """Lines of the page, of a home in which the segment lies; none else."""
    if not _file().exists():
        return []
    return [
        f"{keruen} segment preview {NAME}",
        f"{keruen} segment activate {NAME} --yes && {keruen} sync && {keruen} status",
        "    who came three times is counted, then marked in the CRM, and on the mailing list if he agreed to letters",
        f"{keruen} person review",
        "    two cards that may be one buyer, with what speaks for it and against",
    ]
