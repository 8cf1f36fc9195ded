"""Connections to a server: retries, TLS, and what a failed call means to the person who made it."""

from __future__ import annotations

import json
from pathlib import Path

import grpc

from serving.errors import Code, ServingError

_ATTEMPTS = 5  # gRPC makes no more, whatever a policy asks for
_LONGEST_FIRST_PAUSE_SECONDS = 0.25
_START_ONE = "start one with `tandem serve --model_base_path=MODEL --port=PORT`"
_ADVICE = {
    Code.NOT_FOUND: "is the model's name right, and is a version of it loaded?",
    Code.UNIMPLEMENTED: "is it a model server of TensorFlow Serving's protocol, at its gRPC port?",
    Code.RESOURCE_EXHAUSTED: "ask for less at once",
}
# How gRPC begins to say that it never came as far as a server; other words are the server's own.
_NOT_CONNECTED = ("failed to connect", "errors resolving", "DNS resolution failed")


def connect(target: str, timeout: float, credentials: grpc.ChannelCredentials | None = None) -> grpc.Channel:
    """Opens a channel whose predictions are tried again while the server is UNAVAILABLE.

    The retries are gRPC's own (gRFC A6), by the channel's service config: exponential pauses with jitter, at
    most five attempts, never beyond the deadline. Unlike a loop around the call it also heeds a server that
    asks for a pause, and gives up retrying when most calls fail, so that a server in trouble does not get
    five times its load.

    Args:
        target: `host:port`, or `unix:path`.
        timeout: what a call may usually take; the shorter, the shorter the pauses.
        credentials: for TLS; none connects without it.
    """
    options = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        # gRPC waits a second and more before it connects again, which would outlast the retries.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # A request larger than this is not kept for another attempt.
        ("grpc.per_rpc_retry_buffer_size", 4 * 2**20),
        ("grpc.service_config", json.dumps(_service_config(timeout))),
    ]
    if credentials is None:
        return grpc.insecure_channel(target, options=options)
    return grpc.secure_channel(target, credentials, options=options)


def tls(
    ca_certificate: str | Path | None = None,
    client_certificate: str | Path | None = None,
    client_key: str | Path | None = None,
) -> grpc.ChannelCredentials:
    """Reads what a TLS connection needs from PEM files.

    Args:
        ca_certificate: who vouches for the server; none means the usual authorities.
        client_certificate: who the client is, for servers with `client_verify`; needs its key.
        client_key: the key of that certificate.

    Raises:
        ServingError: a file cannot be read, or one of certificate and key is missing.
    """
    if (client_certificate is None) != (client_key is None):
        raise ServingError("a client's certificate and its key go together; give both or neither")
    return grpc.ssl_channel_credentials(_pem(ca_certificate), _pem(client_key), _pem(client_certificate))


def explain(error: grpc.RpcError, target: str, timeout: float) -> ServingError:
    """Tells what failed, where, and what to do about it."""
    code, details = Code(error.code().value[0]), error.details() or "no details"
    if code == Code.UNAVAILABLE:
        return ServingError(_unavailable(target, details), code)
    if code == Code.DEADLINE_EXCEEDED:
        message = (
            f"{target} did not answer within {timeout:g} s; allow more time if it is busy or still loads"
        )
        return ServingError(message, code)
    advice = f" ({_ADVICE[code]})" if code in _ADVICE else ""
    return ServingError(f"{target} answered {code.name}: {details}{advice}", code)


def _service_config(timeout: float) -> dict[str, object]:
    # Together the four pauses take less than half of the timeout. So where there is no server, the caller is
    # told that, and not that time is over; and the last attempt still has time for an answer.
    first = min(timeout / 40, _LONGEST_FIRST_PAUSE_SECONDS)
    return {
        "methodConfig": [
            {
                # Predictions change nothing, so a second one does no harm. Whoever asks for a model's status
                # wants to know what is the case now.
                "name": [{"service": "tensorflow.serving.PredictionService"}],
                "retryPolicy": {
                    "maxAttempts": _ATTEMPTS,
                    "initialBackoff": f"{max(first, 1e-3):.3f}s",
                    "maxBackoff": f"{max(8 * first, 1e-3):.3f}s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": [Code.UNAVAILABLE.name],
                },
            }
        ],
        # Every failure costs a token, every answer gives a tenth back; at half of them retries stop.
        "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
    }


def _unavailable(target: str, details: str) -> str:
    if "handshake" in details.lower():
        return (
            f"no TLS connection to {target}: {details}; does it speak TLS, is it named in its certificate, "
            "and is that signed by the authority you gave?"
        )
    if details.startswith(_NOT_CONNECTED):
        return f"no server at {target}; {_START_ONE}, or give its certificates if it speaks TLS ({details})"
    return f"{target} answered {Code.UNAVAILABLE.name}: {details}"


def _pem(path: str | Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ServingError(f"cannot read {path}: {error.strerror}") from error
