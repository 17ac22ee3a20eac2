"""A repository of feature versions: what is in it, and programs that write into it."""

import subprocess

from pipelines.refs import sha256
from pipelines.versions import FeatureFile
from pipelines.versions.objects import md5


def file(data):
    return FeatureFile(key=sha256(b"inputs"), sha256=sha256(data), rows=len(data)), data


def in_remote(dvc_root, data):
    oid = md5(data)
    return dvc_root / "remote" / "files" / "md5" / oid[:2] / oid[2:]


def log(dvc_root):
    found = subprocess.run(
        ["git", "log", "--format=%s"],
        cwd=dvc_root / "repo",
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.splitlines()


WRITER = """
import pathlib, sys
import dvc.repo
from pipelines.refs import sha256
from pipelines.versions.dvc import DvcVersions, FeatureFile
versions = DvcVersions(pathlib.Path(sys.argv[1]), lock_timeout=60)
print('ready', flush=True)
for n in range(int(sys.argv[3])):
    data = f'{sys.argv[2]}-{n}'.encode()
    file = FeatureFile(key=sha256(b''), sha256=sha256(data), rows=1)
    versions.commit('m', {data.decode(): (file, data)}, data.decode())
"""
