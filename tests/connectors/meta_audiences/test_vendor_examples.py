"""Every file of the examples of ad audiences: sent, or tried elsewhere, or listed with the reason why neither."""

import json

from pydantic import SecretStr

from connectors.meta_audiences.config import MetaAudiencesConfig
from connectors.meta_audiences.people import payload, row_of
from connectors.meta_audiences.sink import session
from connectors.sdk import Change
from tests.connectors.examples import FOLDER, needs

EXAMPLES = FOLDER / "ads-audiences"
pytestmark = needs(EXAMPLES)
CONFIG = MetaAudiencesConfig(token=SecretStr("x"), ad_account="1")

SENT = {"meta.users_add.request.json"}
ELSEWHERE = {
    "hash_vectors.json": "tests/sdk/test_audiences.py, for all three platforms",
    "yandex.upload.csv": "tests/sdk/test_audiences.py: the hash rules; there is no connector of Yandex Audience",
}
NOT_USED = {
    "SOURCES.md": "tells where the examples come from",
    "yandex.confirm.request.json": "there is no connector of Yandex Audience",
}


def test_every_example_is_in_exactly_one_table():
    tables = [SENT, set(ELSEWHERE), set(NOT_USED)]
    assert sum(map(len, tables)) == len(set.union(*tables))
    assert {path.name for path in EXAMPLES.iterdir()} == set.union(*tables)


def test_an_upload_equals_the_vendors():
    said = json.loads((EXAMPLES / "meta.users_add.request.json").read_text("utf-8"))
    about = {"email": " Aigerim.Test@Example.KZ ", "phone": "8 (700) 123-45-67", "first_name": "Айгерім"}
    change = Change("segment.push", "vip/C-1", "", {"audience": "vip", "member": True}, about=about)
    row = row_of(CONFIG, change)
    made = {"session": session("POST", "1", [(change, row)]), "payload": payload(CONFIG, [row])}
    made["session"]["session_id"] = said["session"]["session_id"]
    assert made == said


def test_a_session_number_fits_into_64_bits():
    changes = [Change("segment.push", f"vip/{number}", "", {}, key=str(number)) for number in range(200)]
    numbers = {session("POST", "1", [(change, {})])["session_id"] for change in changes}
    assert len(numbers) == 200
    assert all(0 <= number < 2**63 for number in numbers)


def test_limits_on_use_go_with_every_upload_where_they_are_set():
    limited = CONFIG.model_copy(update={"data_processing_options": ("LDU",)})
    assert payload(limited, [{"EMAIL": "x"}])["data_processing_options"] == ["LDU"]
