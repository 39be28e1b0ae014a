"""What the figures are measured with: `make bench`, and `make lighthouse` for the page."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "tests"))  # for the servers that tests start as well
