"""`python -m benchmarks`."""

from benchmarks import explore
from benchmarks.compare import main

main()
explore.main()
