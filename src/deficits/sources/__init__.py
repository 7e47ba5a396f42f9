"""Published figures as they came: one folder of `data/raw` a publication, each with a checked `source.toml`."""

from deficits.sources.cells import number
from deficits.sources.declaration import Source, SourceFile, read_source
from deficits.sources.names import folded
from deficits.sources.tables import data_hashes, read_sources, read_table

__all__ = ["Source", "SourceFile", "data_hashes", "folded", "number", "read_source", "read_sources", "read_table"]
