"""``python -m quimb_deepnets``: see `quimb_deepnets.cli`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
