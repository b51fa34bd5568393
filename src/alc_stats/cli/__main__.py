"""`python -m alc_stats.cli`."""

import sys

from alc_stats.cli import main

sys.exit(main())
