"""Options of the gRPC server: TensorFlow Serving's, and those of `--grpc_channel_arguments` over them."""

from __future__ import annotations

from serving.errors import ServingError

_MAX_MESSAGE_BYTES = 2**31 - 1  # as TensorFlow Serving
_DEFAULTS: dict[str, int | str] = {
    "grpc.max_receive_message_length": _MAX_MESSAGE_BYTES,
    "grpc.max_send_message_length": _MAX_MESSAGE_BYTES,
    # Two servers would share a port without a word, each answering some of the requests.
    "grpc.so_reuseport": 0,
}


def parse(text: str) -> list[tuple[str, int | str]]:
    """Reads `key=value,…`: numbers of 32 bits as numbers, the last of a key counts.

    Raises:
        ServingError: there is something else between the commas.
    """
    arguments = dict(_DEFAULTS)
    for argument in filter(None, text.split(",")):
        key, equals, value = argument.partition("=")
        if not equals:
            raise ServingError(f"grpc_channel_arguments must be key=value, joined by commas; got {argument}")
        arguments[key] = _value(value)
    return list(arguments.items())


def _value(text: str) -> int | str:
    try:
        number = int(text)
    except ValueError:
        return text
    return number if -(2**31) <= number < 2**31 else text
