"""`python -m contralto` runs the command `contralto`."""

import sys

from contralto.cli.main import main

sys.exit(main())
