"""What is said of a broker of one's own that does not take us."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest

from pipelines.broker import expect_broker
from pipelines.errors import RequestError
from tests.buckets import free_port


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_one_that_is_not_there_is_named_without_its_password(scheme):
    port = free_port()
    with pytest.raises(RequestError, match=f"127.0.0.1:{port}.* does not answer") as refused:
        expect_broker(f"{scheme}://me:hunter2@127.0.0.1:{port}/0")
    assert "hunter2" not in str(refused.value) + refused.value.remedy
    assert refused.value.__cause__ is None
    assert "PERENNIAL_BROKER_URL" in refused.value.remedy


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_what_says_nothing_is_no_broker(scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(RequestError, match="does not answer"):
            expect_broker(f"{scheme}://me:hunter2@127.0.0.1:{port}/", seconds=0.3)


@pytest.mark.parametrize("url", ["redis://:hunter2@h/zero", "redis://h/0?password=hunter2"])
def test_an_address_that_cannot_be_read_is_named_without_its_password(url):
    with pytest.raises(RequestError) as refused:
        expect_broker(url, seconds=0.3)
    assert "hunter2" not in str(refused.value) + refused.value.remedy


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not here")
def test_a_redis_that_knows_another_password_says_so(tmp_path):
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", "")
    server = subprocess.Popen(
        ["redis-server", *options, "--requirepass", "right"], stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        expect_broker(f"redis://:right@127.0.0.1:{port}/0")
        with pytest.raises(RequestError, match="does not take the user or its password"):
            expect_broker(f"redis://:wrong@127.0.0.1:{port}/0")
    finally:
        server.kill()
        server.wait()
