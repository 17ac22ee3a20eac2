"""A deployment that is cut off anywhere: somebody always answers, and nothing is left over.

One model is asked by all tests, one after the other; each brings the version that does not serve.
"""

from __future__ import annotations

import pytest

from pipelines.deployment.docker.names import image_name
from pipelines.deployment.docker_target import KEPT, DockerTarget
from pipelines.deployment.orders import carry_out, reconcile
from tests.docker.cuts import cut_off

pytestmark = [pytest.mark.engine, pytest.mark.slow]


CUTS = [
    ("engine", "build", True),
    ("engine", "create", True),
    ("engine", "start", True),
    ("gateway", "lead", False),
    ("gateway", "lead", True),
    ("torn", "", True),
    ("ledger", "crown", False),
    ("ledger", "crown", True),
    ("engine", "stop", False),
    ("engine", "stop", True),
]


ALWAYS = [
    ("engine", "start", True),
    ("gateway", "lead", True),
    ("torn", "", True),
    ("ledger", "crown", False),
    ("ledger", "crown", True),
]
"""The cuts that are made in CI too."""


def cuts(always):
    """All cuts; those that are not always made are marked as long."""
    return [c if c in always else pytest.param(c, marks=pytest.mark.long) for c in CUTS]


@pytest.mark.parametrize("cut", cuts(ALWAYS), ids=str)
def test_the_retry_goes_on(standing, cut):
    before, version, release = standing.state(), standing.other, standing.next_release
    run = f"retried {release}"
    order = standing.order(version, run)
    with standing.asked() as asked:
        cut_off(standing, version, run, cut)
        assert standing.says() in {before.says, (release, version)}
        assert carry_out(standing.context, order, DockerTarget()).version == version
    assert asked.failures == []
    assert standing.state() == before._replace(
        says=(release, version),
        champion=version,
        containers={
            **dict.fromkeys(sorted(before.containers)[-KEPT:], "exited"),
            release: "running",
        },
        images=sorted([*before.images, image_name(standing.name, release)]),
    )


@pytest.mark.parametrize("cut", cuts(ALWAYS[2:]), ids=str)
def test_reconciling_follows_the_champion(standing, cut):
    before, version, release = standing.state(), standing.other, standing.next_release
    with standing.asked() as asked:
        cut_off(standing, version, f"reconciled {release}", cut)
        reconcile(standing.context, DockerTarget())
        assert reconcile(standing.context, DockerTarget()) == []
    assert asked.failures == []
    after = standing.state()
    if after.champion == before.champion:
        assert after == before
    else:
        assert after.says == (release, version)
        assert after.containers.items() >= {before.says[0]: "exited", release: "running"}.items()
        assert set(after.containers) <= {*before.containers, release}
        assert list(after.containers.values()).count("running") == 1


def test_a_first_deployment_that_dies_is_put_away_by_the_next(yard):
    found = yard.model()
    try:
        cut_off(found, "2", "once", ("ledger", "crown", False))
        found.deploy("1", "another")
        assert found.says() == (2, "1")
        assert found.containers() == {2: "running"}
        assert found.images() == [image_name(found.name, 2)]
    finally:
        found.remove()
