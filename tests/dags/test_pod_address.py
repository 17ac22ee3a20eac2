from __future__ import annotations

import socket

from perennial_airflow.pod_address import pod_address


def test_a_pod_is_known_by_its_address(monkeypatch):
    monkeypatch.setenv("POD_ADDRESS", "10.1.2.3")
    assert pod_address() == "10.1.2.3"
    monkeypatch.delenv("POD_ADDRESS")
    assert pod_address() == socket.gethostname()
