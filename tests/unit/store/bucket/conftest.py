"""Files of credentials."""

import json

import pytest

KEYS = """[default]
aws_access_key_id = id-of-default
aws_secret_access_key = secret-of-default

[other]
aws_access_key_id = id-of-other
aws_secret_access_key = secret%of-other
aws_session_token = token-of-other
"""


@pytest.fixture
def key_file(tmp_path):
    """AWS's file, with two profiles."""
    file = tmp_path / "credentials"
    file.write_text(KEYS)
    file.chmod(0o600)
    return file


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
