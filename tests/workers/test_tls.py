"""A cluster with TLS: certificates of one authority plan a catalogue; without, or with others, one line says so."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")

ENTRY_POINT = [sys.executable, "-c", "from abr_alloc.cli import main; main()"]
SETTINGS = {"ca-file": "ca.pem", "client.cert": "cert.pem", "client.key": "key.pem"}
ENVIRONMENT = {key.upper().replace("-", "_").replace(".", "__"): name for key, name in SETTINGS.items()}


def make_certificates(folder: Path) -> Path:
    """An authority of its own, and a certificate that it signed."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def sign(subject: str, key: ec.EllipticCurvePrivateKey, is_authority: bool) -> bytes:
        now, hour = datetime.datetime.now(datetime.UTC), datetime.timedelta(hours=1)
        builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("authority"))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - hour).not_valid_after(now + hour)
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        return builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    folder.mkdir()
    (folder / "ca.pem").write_bytes(sign("authority", authority, True))
    (folder / "cert.pem").write_bytes(sign("node", own, False))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(own.private_bytes(*form))
    return folder


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture(scope="module")
def address(ours):
    """A scheduler and a worker that speak TLS alone."""
    words = {"tls_ca_file": str(ours / "ca.pem")}
    for role in ("client", "scheduler", "worker"):
        words |= {f"tls_{role}_{part}": str(ours / f"{part}.pem") for part in ("cert", "key")}
    started = distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=None,
        silence_logs=50,
        protocol="tls://",
        security=distributed.Security(require_encryption=True, **words),
    )
    yield started.scheduler_address
    started.close()


@pytest.fixture
def tables(example, tmp_path):
    (tmp_path / "tables").mkdir()
    shutil.copy(example, tmp_path / "tables" / "a.parquet")
    return tmp_path / "tables"


@pytest.fixture
def plan(run_command, tables, tmp_path, address):
    """Plan on the cluster, in this process, with certificates that Dask's configuration names."""
    import dask

    def run(files: dict[str, Path], where: str = address):
        named = {f"distributed.comm.tls.{key}": str(path) for key, path in files.items()}
        with dask.config.set(named):
            return run_command("plan", tables, "--budget", "500k", "-o", tmp_path / "p.parquet", "--scheduler", where)

    return run


def test_a_catalogue_is_planned_over_tls(ours, address, tables, run_command, tmp_path):
    assert address.startswith("tls://")
    outputs = [tmp_path / "cluster.parquet", tmp_path / "here.parquet"]
    words = ["plan", tables, "--budget", "500k", "-o", outputs[0], "--scheduler", address]
    # A process of its own: Dask reads these when it is imported.
    named = {f"DASK_DISTRIBUTED__COMM__TLS__{key}": str(ours / name) for key, name in ENVIRONMENT.items()}
    done = subprocess.run(
        [*ENTRY_POINT, *map(str, words)],
        env=os.environ | named,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert run_command("plan", tables, "--budget", "500k", "-o", outputs[1]).code == 0
    pd.testing.assert_frame_equal(*map(pd.read_parquet, outputs), rtol=1e-6)


@pytest.mark.parametrize("settings", [(), ("ca-file",), ("client.cert", "client.key")], ids=" ".join)
def test_without_certificates_their_settings_are_named(settings, ours, plan, address):
    outcome = plan({key: ours / SETTINGS[key] for key in settings})
    assert outcome.code == 1
    told = (
        f"{address} needs certificates, and Dask's configuration names none; set DASK_DISTRIBUTED__COMM__TLS__CA_FILE"
    )
    assert told in outcome.error_line()


@pytest.mark.parametrize("foreign", [tuple(SETTINGS), ("ca-file",), ("client.cert", "client.key")], ids=" ".join)
def test_certificates_of_another_authority_are_refused(foreign, ours, plan, address, tmp_path):
    theirs = make_certificates(tmp_path / "theirs")
    outcome = plan({key: (theirs if key in foreign else ours) / name for key, name in SETTINGS.items()})
    assert outcome.code == 1
    line = outcome.error_line()
    # The other side, where it is the one that refuses, may be gone before it has said why.
    told = f"{address} and this machine do not agree on TLS ("
    assert told in line or ("ca-file" not in foreign and f"no Dask scheduler answers at {address}" in line)
    assert not (tmp_path / "p.parquet").exists()


@pytest.mark.parametrize(
    ("setting", "content"), [("client.cert", None), ("ca-file", "no certificate"), ("client.key", "")]
)
def test_files_that_hold_no_certificates_are_told(setting, content, ours, plan, address, tmp_path):
    wrong = tmp_path / "wrong.pem"
    if content is not None:
        wrong.write_text(content)
    outcome = plan({key: ours / name for key, name in SETTINGS.items()} | {setting: wrong})
    assert outcome.code == 1
    line = outcome.error_line()
    assert f"the certificates for {address} cannot be used (" in line
    assert content is not None or f"({wrong}: No such file or directory)" in line


def test_an_address_without_tls_is_told_to_have_one(ours, plan, address):
    outcome = plan({key: ours / name for key, name in SETTINGS.items()}, address.replace("tls://", "tcp://"))
    assert outcome.code == 1
    assert "or tls://host:8786 if it has certificates, with --scheduler" in outcome.error_line()
