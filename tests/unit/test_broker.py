"""What is said of a broker of one's own that does not take us, or that is not who it should be."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.broker import expect_broker, tls_options
from pipelines.errors import RequestError
from tests.authorities import Authority
from tests.buckets import free_port
from tests.redis_server import needs_redis, redis_server


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def refusal(url, *arguments, **options):
    """What is said of a broker; its password is not."""
    with pytest.raises(RequestError) as refused:
        expect_broker(url, *arguments, **options)
    assert "hunter2" not in str(refused.value)
    return refused.value


@pytest.mark.parametrize("scheme", ["amqp", "amqps", "redis", "rediss"])
def test_one_that_is_not_there_is_named_without_its_password(scheme):
    port = free_port()
    refused = refusal(f"{scheme}://me:hunter2@127.0.0.1:{port}/0")
    assert f"127.0.0.1:{port}" in refused.message
    assert " does not answer" in refused.message
    assert refused.__cause__ is None
    assert "PERENNIAL_BROKER_URL" in refused.remedy


@pytest.mark.parametrize("scheme", ["amqp", "amqps", "redis", "rediss"])
def test_what_says_nothing_is_no_broker(scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        refused = refusal(f"{scheme}://me:hunter2@127.0.0.1:{port}/", seconds=0.3)
    assert "does not answer" in refused.message


@pytest.mark.parametrize("url", ["redis://:hunter2@h/zero", "redis://h/0?password=hunter2"])
def test_an_address_that_cannot_be_read_is_named_without_its_password(url):
    refusal(url, seconds=0.3)


@pytest.mark.parametrize("scheme", ["amqps", "rediss"])
@pytest.mark.parametrize(
    "option", ["ssl_cert_reqs=none", "x=1&ssl_check_hostname=false", "ssl=1", "%73sl=1"]
)
def test_an_address_with_options_of_tls_would_be_checked_by_nobody(scheme, option, authority):
    """By `ssl=1` RabbitMQ's name would be compared by nobody, and no authority of ours count."""
    for ca in (None, authority.file):
        refused = refusal(f"{scheme}://:hunter2@127.0.0.1:1/0?{option}", ca)
        assert "would replace the check of its certificate" in refused.message
        assert "PERENNIAL_BROKER_CA" in refused.remedy


def test_of_several_brokers_only_the_first_would_be_checked(authority):
    refused = refusal("amqp://:hunter2@127.0.0.1:1/;amqps://:hunter2@127.0.0.2:1/", None)
    assert "several brokers" in refused.message


@needs_redis
def test_a_redis_that_knows_another_password_says_so(tmp_path):
    with redis_server(tmp_path) as server:
        expect_broker(server.url)
        refused = refusal(server.url.replace(server.password, "hunter2"))
    assert "does not take the user or its password" in refused.message


@needs_redis
def test_a_certificate_is_checked_against_the_authority_that_is_named(tmp_path, authority):
    other = Authority(tmp_path, "theirs")
    with redis_server(tmp_path, certificate=authority.certify("127.0.0.1")) as server:
        expect_broker(server.url, authority.file)
        for ca in (None, other.file):
            refused = refusal(server.url, ca)
            assert f"rediss://127.0.0.1:{server.port}" in refused.message
            assert "shows a certificate that does not hold (" in refused.message
            assert refused.remedy.endswith("authority's certificate: PERENNIAL_BROKER_CA.")
        refused = refusal(server.url.replace("127.0.0.1", "localhost"), authority.file)
        assert "not valid for 'localhost'" in refused.message
        assert "in PERENNIAL_BROKER_URL as its certificate does" in refused.remedy


@needs_redis
def test_a_certificate_that_is_too_old_is_told_from_one_of_an_unknown_authority(
    tmp_path, authority
):
    old = authority.certify("127.0.0.1", datetime.now(UTC) - timedelta(hours=1))
    with redis_server(tmp_path, certificate=old) as server:
        refused = refusal(server.url, authority.file)
    assert "certificate has expired" in refused.message
    assert "give the broker a new certificate" in refused.remedy


@needs_redis
def test_a_broker_that_asks_its_clients_for_certificates_is_named(tmp_path, authority):
    certificate = authority.certify("127.0.0.1")
    with redis_server(tmp_path, certificate=certificate, of_clients=authority.file) as server:
        refused = refusal(server.url, authority.file)
        # It breaks off; whether we are told why first, depends on who is faster
        assert "does not answer by TLS" in refused.message
        assert "tls-auth-clients no" in refused.remedy
        refused = refusal(server.url.replace("rediss:", "redis:"))
        assert "rediss:// where it speaks TLS" in refused.remedy


@needs_redis
def test_a_port_without_tls_is_told_from_a_wrong_certificate(tmp_path):
    with redis_server(tmp_path) as server:
        refused = refusal(server.url.replace("redis:", "rediss:"), seconds=0.5)
    assert "does not answer by TLS" in refused.message
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(_greet, server)
        refused = refusal(f"amqps://me:hunter2@127.0.0.1:{server.getsockname()[1]}/")
    assert "does not answer by TLS (WRONG_VERSION_NUMBER)" in refused.message
    assert "amqp:// and redis:// are without TLS" in refused.remedy


def test_a_broker_on_localhost_may_be_certified_for_that_name(tmp_path):
    """What answers is no broker; its certificate holds, or else that would be said first."""
    authority = Authority(tmp_path)
    ours = authority.certify("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.file, ours.key)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        taken = pool.submit(_take, server, context)
        refused = refusal(
            f"amqps://me:hunter2@localhost:{server.getsockname()[1]}/", authority.file, seconds=5
        )
        assert taken.result() == b"AMQP"
    assert "does not answer by TLS" in refused.message


def _take(server, context):
    """Take a client's first bytes by TLS, and hang up."""
    connection, _ = server.accept()
    with context.wrap_socket(connection, server_side=True) as secured:
        return secured.recv(4)


def _greet(server):
    """Answer as a RabbitMQ that is asked in another protocol than its own."""
    connection, _ = server.accept()
    with connection:
        connection.recv(1_000)
        connection.sendall(b"AMQP\x00\x00\x09\x01")


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_certificates_for_an_address_without_tls_are_a_mistake(scheme, authority):
    refused = refusal(f"{scheme}://me:hunter2@127.0.0.1/", authority.file)
    assert "PERENNIAL_BROKER_CA is set" in refused.message
    assert "is reached without TLS" in refused.message
    assert "amqps:// or rediss://" in refused.remedy


def test_a_file_of_certificates_that_is_none_is_named(tmp_path):
    (tmp_path / "empty.pem").touch()
    for name, words in (
        ("none.pem", "names no file"),
        ("", "names no file"),
        ("empty.pem", "holds"),
    ):
        refused = refusal("amqps://me:hunter2@127.0.0.1/", tmp_path / name)
        assert "PERENNIAL_BROKER_CA" in refused.message
        assert words in refused.message


def test_a_file_that_cannot_even_be_looked_for_is_named(tmp_path):
    """As one in a folder that we may not enter."""
    refused = refusal("amqps://me:hunter2@127.0.0.1/", tmp_path / ("long" * 100))
    assert "PERENNIAL_BROKER_CA" in refused.message
    assert "cannot be read" in refused.message
    assert "chmod 644" in refused.remedy


def test_celery_checks_certificate_and_name_wherever_the_address_is_of_tls(authority):
    """By its own defaults it compares no name of RabbitMQ's, and checks nothing of Redis."""
    assert tls_options("amqp://h/", None) == tls_options("redis://h/0", None) == {}
    amqps, rediss = tls_options("amqps://h/", authority.file), tls_options("rediss://h/0", None)
    assert (amqps["server_hostname"], amqps["ca_certs"]) == ("h", str(authority.file))
    assert (rediss["ssl_check_hostname"], "ssl_ca_certs" in rediss) == (True, False)
    assert amqps["cert_reqs"] == rediss["ssl_cert_reqs"] == 2
