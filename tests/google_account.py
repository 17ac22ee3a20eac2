"""A service account of Google for tests: its key, and which tokens it has signed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

EMAIL = "perennial@tests.iam.gserviceaccount.com"


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@dataclass(frozen=True)
class ServiceAccount:
    """An account with a key of its own."""

    private: rsa.RSAPrivateKey = field(default_factory=_new_key, repr=False)

    @cached_property
    def pem(self) -> str:
        """The private key."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    @cached_property
    def key(self) -> str:
        """The file that `gcloud iam service-accounts keys create` would write."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "tests",
                "private_key_id": "one",
                "private_key": self.pem,
                "client_email": EMAIL,
            }
        )

    def has_signed(self, token: str) -> bool:
        """Tell whether a token (a JWT, RS256) is this account's."""
        signed, _, signature = token.rpartition(".")
        try:
            self.private.public_key().verify(
                base64.urlsafe_b64decode(signature + "=="),
                signed.encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        except (InvalidSignature, ValueError):
            return False
        return True
