"""The original package in the same environment: both bring the module `pathway`.

The one that is installed later writes over files of the other and leaves the rest, and where both have a module under
one name, as a file and as a folder, Python takes the folder. Such a mixture is refused before it does something else
than either would do. Looking for it costs a listing of the folder that the package lies in.
"""

from __future__ import annotations

import os
import sys

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def refuse(package: str = _PACKAGE) -> None:
    """Raises an ImportError if files of the original package lie among those of this one."""
    around = os.path.dirname(package)
    try:
        # What pip writes down of the distribution `pathway`; ours is called `towpath`.
        found = [name for name in os.listdir(around) if name.startswith("pathway-") and name.endswith(".dist-info")]
    except OSError:
        # A package in an archive has no folder.
        return
    for name in found:
        if _claims(os.path.join(around, name), os.path.basename(package)):
            raise ImportError(
                f"the packages towpath and {name.removesuffix('.dist-info')} are both installed in {around}, and "
                "their files are mixed, since both bring the module `pathway`. Use an environment for each, or keep "
                "one. To keep towpath:\n\n"
                f"    {sys.executable} -m pip uninstall --yes pathway towpath\n"
                f"    {sys.executable} -m pip install PATH_OF_A_CHECKOUT_OF_TOWPATH\n"
            )


def _claims(distribution: str, package: str) -> bool:
    """Whether a distribution has a file that lies where one of ours does."""
    try:
        with open(os.path.join(distribution, "RECORD"), encoding="utf-8") as record:
            return any(line.startswith(f"{package}/__init__.py,") for line in record)
    except OSError:
        return False
