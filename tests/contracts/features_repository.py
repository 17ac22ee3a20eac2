"""A features' repository of git and DVC, as its tests see it from outside."""

import subprocess

from pipelines.refs import sha256
from pipelines.versions import FeatureFile
from pipelines.versions.objects import md5

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
"""A program that commits so many versions, one file each."""


def file(data):
    return FeatureFile(key=sha256(b"inputs"), sha256=sha256(data), rows=len(data)), data


def in_cache(root, data):
    oid = md5(data)
    return root / "repo" / ".dvc" / "cache" / "files" / "md5" / oid[:2] / oid[2:]


def in_remote(root, data):
    oid = md5(data)
    return root / "remote" / "files" / "md5" / oid[:2] / oid[2:]


def log(root):
    found = subprocess.run(
        ["git", "log", "--format=%s"], cwd=root / "repo", capture_output=True, text=True, check=True
    )
    return found.stdout.splitlines()
