"""`python -m batchyard`."""

from batchyard.cli.main import main

main()
