"""Execute the notebooks of docs/examples, one after the other, and keep them with their outputs.

python docs/run_notebooks.py                       # all
python docs/run_notebooks.py first_steps sampling  # some
python docs/run_notebooks.py --check               # compare with the outputs that are kept

*.ipynb --nbclient--> outputs, in place      more than 120 s or 400 kB of one: an error
                      --check: as they are   other text or pictures than before: an error
"""

import argparse
import pathlib
import time

import nbformat
from nbclient import NotebookClient
from outputs import difference, pictures, printed

FOLDER = pathlib.Path(__file__).parent / "examples"
MAX_SECONDS, MAX_BYTES = 120, 400_000


def executed(path: pathlib.Path) -> nbformat.NotebookNode:
    """A notebook with the outputs of all its cells; a cell that fails raises."""
    notebook = nbformat.read(path, as_version=4)
    options = {"timeout": 2 * MAX_SECONDS, "record_timing": False, "coalesce_streams": True}
    client = NotebookClient(notebook, **options)
    client.execute(cwd=str(path.parent))
    notebook.metadata.language_info = {"name": "python"}  # not the version of this machine
    return notebook


def differences(found: nbformat.NotebookNode, kept: nbformat.NotebookNode) -> list[str]:
    """What the outputs of a notebook say otherwise than those that are kept, a line a cell."""
    lines = []
    for n, (a, b) in enumerate(zip(found.cells, kept.cells, strict=True)):
        if a.cell_type == "code":
            wrong = difference(printed(a), printed(b), "varies" in a.metadata.get("tags", ()))
            if pictures(a) != pictures(b):
                wrong = f"{pictures(a)} pictures instead of {pictures(b)}"
            lines += [f"cell {n}: {wrong}"] if wrong else []
    return lines


def main() -> None:
    """Execute notebooks by name, by default all, and say what each took."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", help="such as first_steps")
    parser.add_argument("--check", action="store_true", help="compare outputs, and write nothing")
    options = parser.parse_args()
    wrong = []
    for path in [FOLDER / f"{n}.ipynb" for n in options.names] or sorted(FOLDER.glob("*.ipynb")):
        start, notebook = time.monotonic(), executed(path)
        if options.check:
            lines = differences(notebook, nbformat.read(path, as_version=4))
            wrong += [f"{path.name}, {line}" for line in lines]
        else:
            nbformat.write(notebook, path)
        seconds, size = time.monotonic() - start, path.stat().st_size
        print(f"{path.name:24}{seconds:6.0f} s{size / 1000:8.0f} kB", flush=True)
        if seconds > MAX_SECONDS or size > MAX_BYTES:
            raise SystemExit(f"{path.name}: the bounds are {MAX_SECONDS} s and {MAX_BYTES} bytes.")
    if wrong:
        raise SystemExit("\n".join([*wrong, "execute them anew if the code is right."]))


if __name__ == "__main__":
    main()
