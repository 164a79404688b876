"""TLS between this machine and a cluster: what Dask's own configuration says of certificates, and why it did not work.

Dask checks that the other side's certificate comes from the authority that is named, in both directions, and not whose
name stands in it. Both sides therefore need certificates, and the authority must be the cluster's own.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any, Protocol

from abr_alloc.errors import ClusterError

__all__ = ["Security", "connection_settings", "tls_failure"]

_SETTINGS = "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..._TLS__CLIENT__CERT and ..._TLS__CLIENT__KEY (docs/cluster.md)"


class Security(Protocol):
    """Dask's configuration of TLS."""

    tls_ca_file: str | None
    tls_client_cert: str | None
    tls_client_key: str | None

    def get_connection_args(self, role: str) -> dict[str, Any]:
        """Settings of a connection."""
        ...


def connection_settings(address: str, security: Security) -> dict[str, Any]:
    """Settings for a connection to a scheduler.

    Raises:
        ClusterError: the certificates cannot be read, or an address with TLS has none.
    """
    try:
        for place in (security.tls_ca_file, security.tls_client_cert, security.tls_client_key):
            if place and "\n" not in place:  # a certificate itself may stand there instead
                Path(place).read_bytes()  # the error of OpenSSL would not name the file
        settings = security.get_connection_args("client")
    except (OSError, ValueError) as error:  # those of OpenSSL are among them
        reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        raise ClusterError(
            f"the certificates for {address} cannot be used ({reason}); correct {_SETTINGS}", address=address
        ) from error
    if address.startswith("tls://") and settings["ssl_context"] is None:
        raise ClusterError(
            f"{address} needs certificates, and Dask's configuration names none; set {_SETTINGS}", address=address
        )
    return settings


def tls_failure(address: str, error: BaseException) -> ClusterError | None:
    """What is told where the two sides refused each other; None where a connection failed for another reason."""
    met: BaseException | None = error
    while met is not None and not isinstance(met, ssl.SSLError):
        met = met.__cause__ or met.__context__
    text = str(met or error).lower()
    if met is None and "ssl" not in text:  # Dask may leave no more of such an error than its text
        return None
    # Without its code and the line of OpenSSL's source.
    reason = getattr(met, "verify_message", "") or text.partition("] ")[2].partition(" (_ssl")[0] or "it was refused"
    return ClusterError(
        f"{address} and this machine do not agree on TLS ({reason}); all certificates must come from the same "
        "authority, and a cluster without TLS has an address like tcp://host:8786 (docs/cluster.md)",
        address=address,
    )
