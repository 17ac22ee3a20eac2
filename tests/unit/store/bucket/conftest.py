"""Files of credentials."""

import json

import pytest


@pytest.fixture
def google_file(tmp_path):
    """A service account's file of Google."""
    file = tmp_path / "google.json"
    held = {
        "type": "service_account",
        "client_email": "perennial@tests",
        "private_key": "-----BEGIN PRIVATE KEY-----",
        "private_key_id": "one",
    }
    file.write_text(json.dumps(held))
    file.chmod(0o600)
    return file
