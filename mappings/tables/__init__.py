"""Mapping as a table first, a function where the shape changes."""

from mappings.tables import convert
from mappings.tables.fields import Constant, Derived, Field, FieldMap, Unusable, at, numbered, unmapped
from mappings.tables.result import Mapped, Quarantined, Result

__all__ = [
    "Constant",
    "Derived",
    "Field",
    "FieldMap",
    "Mapped",
    "Quarantined",
    "Result",
    "Unusable",
    "at",
    "convert",
    "numbered",
    "unmapped",
]
