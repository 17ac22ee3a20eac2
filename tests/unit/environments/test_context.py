"""A model's own code finds what it requires, and a changed environment changes every key."""

import pytest

from pipelines import user_code
from pipelines.data.feature_rows import build_from, intervals_behind, read_raw
from pipelines.environments.ready import paths
from pipelines.environments.resolution import resolve
from pipelines.errors import SpecError
from pipelines.intervals import containing
from tests.worlds import FIRST

REQUIRES = "task: binary\nrequires: [pnclock~=1.0]"


@pytest.fixture(scope="module", autouse=True)
def _packages(index):
    index.add("pnclock", "1.0", {"pnclock.py": "FACTOR = 10\n"})
    index.add("pnother", "1.0", {"pnother.py": "FACTOR = 7\n"})


@pytest.fixture
def features(world):
    """The model's features.py, in which `pages` is multiplied by a package's factor."""
    path = world.home / "models" / "sales" / "features.py"
    text = path.read_text().replace("import ibis\n", "import ibis, pnclock\n")
    path.write_text(text.replace("mutate(", "mutate(pages=_.pages * pnclock.FACTOR, ", 1))
    return path


def build(context):
    interval = containing(FIRST, context.spec.timing.batch)
    raws = read_raw(context, interval)
    assert len(raws) == len(intervals_behind(context.spec, interval))
    return build_from(context, raws, interval)


def test_build_imports_what_the_model_requires(world, features):
    world.respec("task: binary", REQUIRES)
    table = build(world.context())
    assert min(table["pages"].to_pylist()) >= 10


def test_without_it_the_remedy_names_the_key(world, features):
    with pytest.raises(SpecError, match="No module named 'pnclock'") as raised:
        build(world.context())
    assert "under `requires` in model.yaml" in raised.value.remedy


def test_read_imports_what_the_model_requires(tmp_path, store, settings):
    folder = tmp_path / "models" / "sales"
    folder.mkdir(parents=True)
    path = folder / "source.py"
    path.write_text("import pnclock\ndef read(): ...\n")
    site = paths(resolve(["pnclock==1.0"], store), settings, store)
    user_code.load(path, "read", 60, paths=site)
    with pytest.raises(SpecError, match="pnclock"):
        user_code.load(path, "read", 60)


def test_no_process_sees_the_packages_of_two_models(tmp_path, store, settings):
    folder = tmp_path / "models" / "sales"
    folder.mkdir(parents=True)
    path = folder / "source.py"
    path.write_text("import pnclock\ndef read(): ...\n")
    one = paths(resolve(["pnclock==1.0"], store), settings, store)
    other = paths(resolve(["pnother==1.0"], store), settings, store)
    user_code.load(path, "read", 60, paths=one)
    path.write_text("import sys\nassert 'pnclock' not in sys.modules\ndef read(): ...\n")
    user_code.load(path, "read", 60, paths=other)


def test_the_code_of_a_model_changes_with_its_environment_alone(world):
    before = world.context().code
    world.respec("task: binary", "task: binary\nrequires: [pnclock==1.0]")
    pinned = world.context().code
    world.respec("pnclock==1.0", "pnclock~=1.0")
    assert world.context().code == pinned != before
    world.respec("pnclock~=1.0", "pnother==1.0")
    assert world.context().code not in {before, pinned}


def test_a_run_is_tagged_with_the_environment(world):
    assert world.context().environment_tags == {}
    world.respec("task: binary", REQUIRES)
    context = world.context()
    assert context.environment_tags["environment_sha256"] == context.environment.sha256
    assert context.environment_tags["requirements"] == "pnclock~=1.0"
