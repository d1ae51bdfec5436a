"""Files dropped in a folder by tills, offices and accountants: goods, people and what passes between."""

from connectors.files.config import FilesConfig
from connectors.files.layouts import LAYOUTS
from connectors.files.source import check, find, read
from connectors.sdk import ConnectorSpec, FileDrop

ENTITIES = tuple(layout.entity for layout in LAYOUTS.values())
CONNECTOR = ConnectorSpec(
    name="files",
    title="Files",
    config=FilesConfig,
    channel="store",
    files=FileDrop("files", find=find, read=read, entities=ENTITIES),
    check=check,
)
