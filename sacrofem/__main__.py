"""``python -m sacrofem``."""

import sys

from sacrofem.cli import main

sys.exit(main())
