"""``python -m pathway`` is the command `pathway`."""

from pathway.cli import main

if __name__ == "__main__":
    main()
