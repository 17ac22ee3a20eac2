"""An environment on the disk: beside the base, whole or built anew, one builder at a time."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines.environments import overlay
from pipelines.environments.overlay import install, overlays, verify
from pipelines.environments.ready import paths
from pipelines.environments.recorded_files import FORMAT, SITE, find_damage
from pipelines.environments.resolution import resolve
from pipelines.errors import Conflict, Corrupted, SpecError, Unreachable
from pipelines.settings import Settings
from tests.wheels import only_index


@pytest.fixture(scope="module", autouse=True)
def _packages(index):
    index.add("pnclock", "1.0", {"pnclock/__init__.py": "TICK = 1\n", "pnclock/hand.py": ""})
    index.add("pnshadow", "1.0", {"numpy/__init__.py": ""})
    index.add("pnours", "1.0", {"pipelines/errors.py": ""})
    index.add("pnjson", "1.0", {"json.py": ""})
    index.add("pnstart", "1.0", {"sitecustomize.py": "raise SystemExit(1)"})
    index.add("pnlitter", "1.0", {"pnlitter.py": "", "tests/__init__.py": ""})
    index.add("packaging", "26.3")


@pytest.fixture(scope="module")
def settings_of_made(tmp_path_factory):
    """The settings of an environment that several tests use."""
    home = tmp_path_factory.mktemp("home")
    return Settings(home=home, state=home / "state")


@pytest.fixture
def made(store, settings_of_made):
    """An environment with one package, its folder, and its settings."""
    record = resolve(["pnclock==1.0"], store)
    (site,) = paths(record, settings_of_made, store)
    return record, Path(site).parent, settings_of_made


def run(site, code):
    program = f"import sys; sys.path.append({site!r}); {code}"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_a_process_finds_it_behind_the_base(made):
    _, folder, _ = made
    done = run(str(folder / SITE), "import pnclock, numpy; print(pnclock.TICK, numpy.__file__)")
    assert done.stdout.startswith("1 ")
    assert str(folder) not in done.stdout
    assert (folder.stat().st_mode & 0o077, (folder / SITE).stat().st_mode & 0o077) == (0, 0)


def test_the_second_use_asks_nobody_and_is_fast(made, store):
    record, folder, settings = made
    for _ in only_index("http://127.0.0.1:9/simple"):
        begin = time.monotonic()
        assert paths(record, settings, store) == [str(folder / SITE)]
        assert time.monotonic() - begin < 1


def test_what_the_base_has_is_not_installed_again(store, settings):
    assert paths(resolve(["packaging==26.3"], store), settings, store) == []


def test_a_base_with_another_version_than_the_lock_is_refused(settings):
    with pytest.raises(Conflict, match=r"needs packaging 1\.0, but 26\.3 is installed"):
        install(settings, "packaging==1.0 \\\n    --hash=sha256:00\n")


def change(path):
    path.write_text("TICK = 2\n")


def change_unseen(path):
    status = path.stat()
    path.write_text("TICK = 2\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def link(path):
    text = path.with_name("elsewhere")
    path.rename(text)
    path.symlink_to(text)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda site: change(site / "pnclock" / "__init__.py"), "__init__.py was changed"),
        (lambda site: (site / "pnclock" / "hand.py").unlink(), "hand.py is gone"),
        (lambda site: (site / "pnclock" / "more.py").write_text(""), "does not belong"),
        (lambda site: link(site / "pnclock" / "__init__.py"), "__init__.py was changed"),
        (lambda site: (site.parent / "record.json").unlink(), "not there"),
        (lambda site: (site.parent / "record.json").write_text("[]"), "cannot be read"),
        (lambda site: (site.parent / "record.json").write_text('{"format": 9}'), "format"),
    ],
)
def test_damage_is_found_and_mended_at_the_next_use(made, store, damage, said):
    record, folder, settings = made
    damage(folder / SITE)
    assert said in find_damage(folder)
    assert paths(record, settings, store) == [str(folder / SITE)]
    assert find_damage(folder, thorough=True) == ""
    assert [p.name for p in overlays(settings).iterdir() if p.name.endswith(".tmp")] == []


def test_a_change_that_keeps_size_and_time_is_found_by_its_hash(made, store):
    record, folder, settings = made
    change_unseen(folder / SITE / "pnclock" / "__init__.py")
    lock = store.get(record.lock).decode()
    assert "__init__.py was changed" in verify(settings, lock)
    assert json.loads((folder / "record.json").read_text())["format"] == FORMAT


def test_what_a_killed_builder_left_is_removed(made, store):
    record, folder, settings = made
    abandoned = folder.parent / f".{folder.name}.killed.tmp"
    (abandoned / "new").mkdir(parents=True)
    (folder / "record.json").unlink()
    paths(record, settings, store)
    assert not abandoned.exists()


def test_of_two_that_install_at_once_one_does(store, settings, monkeypatch):
    record = resolve(["pnclock==1.0"], store)
    calls, real = [], overlay.install_target

    def count(*arguments):
        calls.append(arguments)
        time.sleep(0.2)
        real(*arguments)

    monkeypatch.setattr(overlay, "install_target", count)
    threads = [threading.Thread(target=paths, args=(record, settings, store)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert len(paths(record, settings, store)) == 1


@pytest.mark.parametrize(
    ("package", "module"),
    [("pnshadow", "numpy"), ("pnours", "pipelines"), ("pnjson", "json"), ("pnstart", "sitecust")],
)
def test_a_package_that_takes_the_name_of_a_module_is_refused(store, settings, package, module):
    with pytest.raises(SpecError, match=f"brings the module {module}") as raised:
        paths(resolve([f"{package}==1.0"], store), settings, store)
    assert raised.value.at == ("requires",)
    assert [p.suffix for p in overlays(settings).iterdir() if p.suffix != ".lock"] == []


def test_what_careless_wheels_leave_at_the_top_does_no_harm(store, settings):
    assert len(paths(resolve(["pnlitter==1.0"], store), settings, store)) == 1


def test_a_wheel_that_was_exchanged_since_is_not_installed(store, settings, index):
    index.add("pnswap", "1.0")
    record = resolve(["pnswap==1.0"], store)
    wheel = index.add("pnswap", "1.0", {"pnswap/__init__.py": "EVIL = 1\n"})
    assert wheel.is_file()
    with pytest.raises(Corrupted, match="not what was resolved"):
        paths(record, settings, store)


def test_an_index_that_is_away_leaves_nothing_behind(store, settings):
    record = resolve(["pnclock==1.0"], store)
    for _ in only_index("http://127.0.0.1:9/simple"):
        with pytest.raises(Unreachable):
            paths(record, settings, store)
    assert [p.suffix for p in overlays(settings).iterdir() if p.suffix != ".lock"] == []
