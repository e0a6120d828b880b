"""The command line."""

import sys


def main() -> None:
    """Run the command that the arguments name."""
    from batchyard.cli.serve import serve

    serve(sys.argv[2:])
