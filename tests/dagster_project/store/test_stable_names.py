"""What people's own SQL may rely on is as the page says."""

import re
from pathlib import Path

from sqlalchemy import text

PAGE = Path(__file__).resolve().parents[3] / "dagster_project/README.md"
ROW = re.compile(r"^\| `(canonical\.\w+)` \| [^|]+ \| (.+) \|$", re.MULTILINE)


def test_people_are_asked_for_under_the_names_that_the_page_gives(store):
    found = ROW.findall(PAGE.read_text("utf-8"))
    assert len(found) == 6
    with store.connect() as db:
        for table, columns in found:
            names = ", ".join(re.findall(r"`([^`]+)`", columns))
            assert db.execute(text(f"select {names} from {table}")).all() == []
