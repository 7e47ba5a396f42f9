"""From a publisher's file to new tables in `data/raw`: get it, parse it, prove it, and only then write."""

from deficits.fetch.download import FetchError, printable
from deficits.fetch.fetch import Fetched, fetch, listing, news, undo

__all__ = ["FetchError", "Fetched", "fetch", "listing", "news", "printable", "undo"]
