"""Published figures as they came: one folder of `data/raw` a publication, each with a checked `source.toml`."""

from deficits.raw.corrections import GuardFailed
from deficits.raw.tables import RawData, Source, SourceFile, raw_data, read_source, read_table

__all__ = [
    "GuardFailed",
    "RawData",
    "Source",
    "SourceFile",
    "raw_data",
    "read_source",
    "read_table",
]
