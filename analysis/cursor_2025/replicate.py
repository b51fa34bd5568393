"""Run this study alone: `python analysis/cursor_2025/replicate.py`.

The same as `alc-stats run analysis/cursor_2025`; options are passed on.
"""

import sys
from pathlib import Path

from alc_stats.cli import main

if __name__ == "__main__":
    sys.exit(main(["run", str(Path(__file__).parent), *sys.argv[1:]]))
