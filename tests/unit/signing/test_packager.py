"""Which key the packager signs with: only one that the server believes."""

from __future__ import annotations

import pytest

from pipelines.errors import KeyUnusable
from pipelines.settings import Settings
from pipelines.signing.packager import key_for_packaging
from pipelines.signing.trust import Trust
from tests.signing import DAY, NOW, other_key, trusted_key


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path, require_signature=True)


def missing(_):
    return "There is no signing key in"


def not_trusted(settings):
    key = other_key(settings.signing_key_file.parent, settings.signing_key_file.name)
    return f"The signing key {key.id[:16]} is not among the trusted ones"


def expired(settings):
    key = trusted_key(settings, NOW - DAY, NOW)
    return f"the key {key.id[:16]} expired at"


def retired(settings):
    trust, key = Trust(settings.trust), trusted_key(settings)
    trust.retire(trust.find(key.id), NOW)
    return f"the key {key.id[:16]} was retired at"


def no_key(settings):
    settings.signing_key_file.parent.mkdir()
    settings.signing_key_file.touch(0o600)
    return "holds no signing key"


@pytest.mark.parametrize("spoil", [missing, not_trusted, expired, retired, no_key])
def test_without_a_key_that_counts_nothing_is_packaged_where_a_signature_is_required(
    settings, spoil
):
    words = spoil(settings)
    with pytest.raises(KeyUnusable, match=words) as told:
        key_for_packaging(settings, NOW)
    assert told.value.remedy
    assert key_for_packaging(settings.replace(require_signature=False), NOW) is None


def test_a_usable_key_signs_also_where_nobody_requires_it(settings):
    key = trusted_key(settings, not_after=NOW + DAY)
    for required in (True, False):
        assert key_for_packaging(settings.replace(require_signature=required), NOW).id == key.id
