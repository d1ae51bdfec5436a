"""What a portal tells of itself: clock, stages, pipelines, kinds of prices and statuses (contract bitrix24 6 to 8)."""

from typing import Any

from connectors.bitrix24.simulator.door import Refusal, Rows
from connectors.bitrix24.simulator.lists import page_of
from connectors.bitrix24.simulator.portal import SEMANTICS, STAGES, Portal, Row

PIPELINES = ((0, "Общая"), (1, "Вторая"))
ONLINE = (("N", "O"), ("P", "O"), ("S", "O"), ("D", "O"), ("F", "O"), ("DN", "D"), ("DD", "D"), ("DF", "D"))
"""Status of the online store → O: of an order, D: of its delivery."""


def statuses(portal: Portal, params: Row) -> Rows:
    return page_of([*_stages(), *_kinds()], params, key="ID")


def _stages() -> list[Row]:
    """Of each pipeline; all but the first put its number before the name."""
    return [
        _status(1 + 20 * number + place, f"DEAL_STAGE_{number}" if number else "DEAL_STAGE",
                f"C{number}:{stage}" if number else stage, SEMANTICS.get(stage))
        for number, _ in PIPELINES for place, stage in enumerate(STAGES)
    ]  # fmt: skip


def _kinds() -> list[Row]:
    named = [
        *(("SOURCE", one) for one in ("CALL", "EMAIL", "WEB", "ADVERTISING", "OTHER")),
        *(("CONTACT_TYPE", one) for one in ("CLIENT", "SUPPLIER", "PARTNER", "OTHER")),
        *(("STATUS", one) for one in ("NEW", "IN_PROCESS", "PROCESSED")),
    ]
    ends = [("STATUS", "CONVERTED", "S"), ("STATUS", "JUNK", "F")]
    return [_status(101 + place, *one) for place, one in enumerate([*((*pair, None) for pair in named), *ends])]


def _status(key: int, kind: str, name: str, semantics: str | None) -> Row:
    return {"ID": str(key), "ENTITY_ID": kind, "STATUS_ID": name, "NAME": name, "SORT": str(10 * key),
            "SYSTEM": "N", "SEMANTICS": semantics}  # fmt: skip


def pipelines(portal: Portal, params: Row) -> Rows:
    if str(params.get("entityTypeId")) != "2":
        raise Refusal(400, "ENTITY_TYPE_NOT_SUPPORTED", "The entity type is not supported")
    rows = [{"id": number, "name": name, "sort": 100 * (number + 1), "entityTypeId": 2,
             "isDefault": "N" if number else "Y"} for number, name in PIPELINES]  # fmt: skip
    return Rows(result={"categories": rows}, total=len(rows))


def price_types(portal: Portal, params: Row) -> Rows:
    rows = [{"id": 1, "name": "BASE", "base": "Y", "sort": 100}, {"id": 2, "name": "MINIMUM", "base": "N", "sort": 200}]
    return page_of(rows, params, key="id", wrap="priceTypes")


def online_statuses(portal: Portal, params: Row) -> Rows:
    rows = [{"id": name, "type": kind, "sort": 10 * place, "notify": "Y", "color": "", "xmlId": None}
            for place, (name, kind) in enumerate(ONLINE, 1)]  # fmt: skip
    return page_of(rows, {"order": {"sort": "ASC"}, **params}, key="id", wrap="statuses")


def nothing_but(result: Any) -> Any:
    return lambda portal, params: result


METHODS = {
    "server.time": lambda portal, params: portal.stamp(),
    "crm.status.list": statuses,
    "crm.category.list": pipelines,
    # with leads, as they are written by this portal
    "crm.settings.mode.get": nothing_but(1),
    "catalog.pricetype.list": price_types,
    # counts are changed by documents only
    "catalog.document.mode.status": nothing_but("Y"),
    "sale.status.list": online_statuses,
}
