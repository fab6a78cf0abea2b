"""Execute the notebooks of docs/examples, one after the other, and keep them with their outputs.

python docs/run_notebooks.py                       # all
python docs/run_notebooks.py first_steps sampling  # some

*.ipynb --nbclient--> outputs, in place      more than 120 s or 400 kB of one: an error
"""

import pathlib
import sys
import time

import nbformat
from nbclient import NotebookClient

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


def main(names: list[str]) -> None:
    """Execute notebooks by name, by default all, and say what each took."""
    for path in [FOLDER / f"{name}.ipynb" for name in names] or sorted(FOLDER.glob("*.ipynb")):
        start = time.monotonic()
        nbformat.write(executed(path), path)
        seconds, size = time.monotonic() - start, path.stat().st_size
        print(f"{path.name:24}{seconds:6.0f} s{size / 1000:8.0f} kB", flush=True)
        if seconds > MAX_SECONDS or size > MAX_BYTES:
            raise SystemExit(f"{path.name}: the bounds are {MAX_SECONDS} s and {MAX_BYTES} bytes.")


if __name__ == "__main__":
    main(sys.argv[1:])
