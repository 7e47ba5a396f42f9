"""`python -m benchmarks`."""

from benchmarks import explore, panel, writeoff
from benchmarks.compare import main

main()
explore.main()
print()
panel.main()
print()
writeoff.figures()
