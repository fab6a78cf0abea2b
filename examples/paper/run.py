"""Run every row and write the table, the numbers and the pictures: `make paper`."""

import argparse
import importlib
import json
import os
import pathlib
import sys
import time

from tqdm import tqdm

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before numpy: times are compared, and cores may be shared

OUT = pathlib.Path(__file__).parents[2] / "docs" / "paper"
ORDER = (
    "tree mps recursive claim_1 theorem_1 exact_law saturating_states corollary_1 theorem_2 "
    "log_entropy theorem_3 cost standard_networks"
).split()
NAMES = [f"row_{name}" for name in ORDER]


def plain(text):
    """Text whose powers, as in a**d, are not taken for bold words; code stays as it is."""
    parts = text.split("`")
    return "`".join(x if n % 2 else x.replace("*", r"\*") for n, x in enumerate(parts))


def page(name, row):
    """One row as Markdown: the claim, what was found, how it is certified, pictures, command."""
    return "\n\n".join(
        (
            f"# {row.claim}",
            f"**The paper says.** {plain(row.says)}",
            f"**We compute.** {plain(row.computes)}",
            f"**How certified.** {plain(row.certified)}",
            f"The claim {'holds' if row.holds else '**fails**'}.",
            *(f"![{row.claim}]({picture})" for picture in row.pictures),
            f"Again: `python -m examples.paper.run {name}`.\n",
        )
    )


def contents(rows):
    """The page of all rows."""
    lines = [
        "# The paper, row by row",
        "",
        "What Levine, Sharir, Cohen and Shashua claim "
        "([arXiv:1803.09780](https://arxiv.org/abs/1803.09780)), computed again with exact "
        "arithmetic where that decides. `make paper` does it all in a few minutes, and writes "
        "every number into `results.json`.",
        "",
        "| row | the paper says | |",
        "|---|---|---|",
    ]
    for name, row in rows.items():
        holds = "holds" if row.holds else "**fails**"
        lines.append(f"| [{row.claim}]({name}.md) | {plain(row.says)} | {holds} |")
    hidden = ["", "```{toctree}", ":hidden:", "", *rows, "```"]
    return "\n".join(lines + hidden) + "\n"


def main(argv=None):
    """Run the rows that are named, or all."""
    parser = argparse.ArgumentParser(prog="examples.paper.run", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"some of {', '.join(NAMES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="at the sizes of the tests")
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    options = parser.parse_args(argv)
    if unknown := set(options.rows) - set(NAMES):
        parser.error(f"no row {sorted(unknown)[0]!r}; choose from {', '.join(NAMES)}")
    options.out.mkdir(parents=True, exist_ok=True)
    rows, numbers = {}, {}
    for name in (bar := tqdm(options.rows or NAMES)):
        bar.set_description(name)
        start = time.perf_counter()
        row = importlib.import_module(f"examples.paper.{name}").row(
            options.out, quick=options.quick
        )
        seconds = round(time.perf_counter() - start, 1)
        rows[name] = row
        (options.out / f"{name}.md").write_text(page(name, row), encoding="utf8")
        print(page(name, row))
        numbers[name] = {"claim": row.claim, "holds": row.holds, "seconds": seconds} | row.numbers
    if not options.rows:
        (options.out / "README.md").write_text(contents(rows), encoding="utf8")
        (options.out / "results.json").write_text(json.dumps(numbers, indent=1) + "\n")
    if failed := [row.claim for row in rows.values() if not row.holds]:
        sys.exit(f"claims that do not hold: {', '.join(failed)}")


if __name__ == "__main__":
    main()
