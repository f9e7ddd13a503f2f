"""The command `pathway`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; gives back its exit status."""
    from pathway import __version__

    parser = argparse.ArgumentParser(prog="pathway", description="Live computations on data that keeps arriving.")
    parser.add_argument("--version", action="version", version=f"pathway, version {__version__} (towpath)")
    parser.parse_args(arguments)
    parser.print_help()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
