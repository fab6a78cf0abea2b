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


def table(rows):
    """The rows as Markdown, with their pictures below."""
    lines = ["| | the paper says | we compute | how certified | |", "|---|---|---|---|---|"]
    for row in rows:
        cells = row.claim, row.says, row.computes, row.certified
        lines.append(f"| {' | '.join(cells)} | {'holds' if row.holds else '**fails**'} |")
    for row in rows:
        lines += [f"\n![{row.claim}]({name})" for name in row.pictures]
    return "\n".join(lines)


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
    rows, numbers = [], {}
    for name in (bar := tqdm(options.rows or NAMES)):
        bar.set_description(name)
        start = time.perf_counter()
        row = importlib.import_module(f"examples.paper.{name}").row(
            options.out, quick=options.quick
        )
        seconds = round(time.perf_counter() - start, 1)
        rows.append(row)
        numbers[name] = {"claim": row.claim, "holds": row.holds, "seconds": seconds} | row.numbers
    text = f"# The paper, reproduced\n\n{table(rows)}\n"
    if not options.rows:
        (options.out / "README.md").write_text(text, encoding="utf8")
        (options.out / "results.json").write_text(json.dumps(numbers, indent=1) + "\n")
    print(text)
    if failed := [row.claim for row in rows if not row.holds]:
        sys.exit(f"claims that do not hold: {', '.join(failed)}")


if __name__ == "__main__":
    main()
