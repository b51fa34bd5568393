"""Run this study alone: `python analysis/spread_classics/replicate.py`.

The same as `alc-stats run analysis/spread_classics`; options are passed on.
"""

import sys
from pathlib import Path

from alc_stats.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", str(Path(__file__).parent), *sys.argv[1:]]))
