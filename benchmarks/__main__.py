"""`python -m benchmarks`."""

from benchmarks import explore, panel
from benchmarks.compare import main

main()
explore.main()
print()
panel.main()
