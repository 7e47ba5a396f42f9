"""`python -m deficits.cli`."""

from deficits.cli import main

main()
