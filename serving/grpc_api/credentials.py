"""TLS for the gRPC server, as an `SSLConfig` asks for it."""

from __future__ import annotations

import grpc

from serving.errors import ServingError
from serving.settings import config_files, config_protos


def read(ssl_config_file: str) -> grpc.ServerCredentials | None:
    """Reads the server's key and certificates; none if no file is named.

    Raises:
        ServingError: the file is missing or wrong, or leaves out what it needs.
    """
    if not ssl_config_file:
        return None
    config = config_files.read(ssl_config_file, config_protos.SSLConfig())
    if not config.server_key or not config.server_cert:
        raise _incomplete(ssl_config_file, "server_key and server_cert must be there")
    if config.client_verify and not config.custom_ca:
        raise _incomplete(ssl_config_file, "client_verify needs custom_ca")
    return grpc.ssl_server_credentials(
        [(config.server_key.encode(), config.server_cert.encode())],
        root_certificates=config.custom_ca.encode() or None,
        require_client_auth=config.client_verify,
    )


def _incomplete(path: str, problem: str) -> ServingError:
    return ServingError(f"Invalid protobuf file: '{path}' ({problem})")
