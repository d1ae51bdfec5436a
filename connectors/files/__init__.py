"""Files dropped in a folder by tills, offices and accountants: receipts, products, stock, prices, customers."""

from connectors.files.config import FilesConfig
from connectors.files.source import check, find, read
from connectors.sdk import ConnectorSpec, FileDrop

CONNECTOR = ConnectorSpec(
    name="files",
    title="Files",
    config=FilesConfig,
    channel="store",
    files=FileDrop("files", find=find, read=read, entities=("order", "product", "stock_level", "price", "customer")),
    check=check,
)
