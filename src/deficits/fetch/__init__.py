"""From a publisher's file to new tables in `data/raw`: get it, parse it, prove it, and only then write."""
