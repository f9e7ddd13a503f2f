"""Files of the original package among ours are noticed at once, and cheaply."""

import pathlib
import shutil
import subprocess
import sys

import pathway as pw
import pytest
from pathway._ground import other_package

PACKAGE = pathlib.Path(pw.__file__).parent


def beside(folder: pathlib.Path, name: str, *files: str) -> str:
    """A folder of packages with one called `pathway`, and what pip writes down of another distribution."""
    (folder / "pathway").mkdir()
    (folder / name).mkdir()
    (folder / name / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in files))
    return str(folder / "pathway")


def test_the_original_in_the_same_folder(tmp_path: pathlib.Path) -> None:
    package = beside(tmp_path, "pathway-0.33.0.dist-info", "../../bin/pathway", "pathway/__init__.py")
    with pytest.raises(ImportError, match=r"towpath and pathway-0\.33\.0 are both installed") as raised:
        other_package.refuse(package)
    assert f"{sys.executable} -m pip uninstall --yes pathway towpath" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("towpath-0.1.0.dist-info", "pathway/__init__.py"),
        ("pathway_tools-1.0.dist-info", "pathway_tools/__init__.py"),
        # Another package whose distribution happens to be called so.
        ("pathway-0.1.dist-info", "graphs/__init__.py"),
    ],
)
def test_other_distributions_do_not_matter(tmp_path: pathlib.Path, name: str, file: str) -> None:
    other_package.refuse(beside(tmp_path, name, file))


def test_what_is_broken_does_not_matter(tmp_path: pathlib.Path) -> None:
    other_package.refuse(str(tmp_path / "nowhere" / "pathway"))
    (tmp_path / "pathway-0.33.0.dist-info").mkdir()
    other_package.refuse(str(tmp_path / "pathway"))


@pytest.mark.one_process("no rows are made")
def test_a_mixture_cannot_be_imported(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "packages"
    shutil.copytree(PACKAGE, folder / "pathway", ignore=shutil.ignore_patterns("__pycache__"))
    record = folder / "pathway-0.33.0.dist-info" / "RECORD"
    command = [sys.executable, "-c", "import pathway; print(pathway.__file__)"]

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, capture_output=True, text=True, env={"PYTHONPATH": str(folder)}, cwd=tmp_path, timeout=60
        )

    assert run().stdout == f"{folder / 'pathway' / '__init__.py'}\n"
    record.parent.mkdir()
    record.write_text("pathway/__init__.py,sha256=x,1\n")
    done = run()
    assert done.returncode == 1
    assert "ImportError: the packages towpath and pathway-0.33.0 are both installed" in done.stderr
