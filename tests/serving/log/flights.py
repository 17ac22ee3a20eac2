"""The model `flights`: where it is asked, for which moment, and what its server counts."""

from __future__ import annotations

import re

PREDICT = "/models/flights/predict"


def metric(client, line):
    found = re.search(rf"^{re.escape(line)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else None
