"""Write what benchmarks measured into the documents, and draw it.

`python -m tools.figures` from the checkout; a test compares both with benchmarks/results/.
Tables stand between `<!-- figures: name -->` and `<!-- end of figures -->`.
"""

from __future__ import annotations

from tools.figures.pages import PAGES, fill
from tools.figures.plots import PLOTS, draw

if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
    for name in PLOTS:
        draw(name)
