"""Reads TensorFlow Serving's config files: protocol buffers in text format."""

from __future__ import annotations

from typing import TypeVar

import tensorflow as tf
from google.protobuf import message, text_format

from serving.errors import Code, ServingError

Message = TypeVar("Message", bound=message.Message)


def read(path: str, into: Message) -> Message:
    """Fills a message from a file, local or any that TensorFlow reads.

    Raises:
        ServingError: the file cannot be read, or holds no such message.
    """
    return parse(read_text(path), into, path)


def read_text(path: str) -> str:
    """Gives the text of a file.

    Raises:
        ServingError: the file cannot be read, or is no text.
    """
    try:
        with tf.io.gfile.GFile(path, "rb") as stream:
            return stream.read().decode("utf-8")
    except tf.errors.OpError as error:
        raise ServingError(error.message, Code(error.error_code)) from error
    except UnicodeDecodeError as error:
        raise ServingError(f"Invalid protobuf file: '{path}' ({error})") from error


def parse(text: str, into: Message, path: str) -> Message:
    """Fills a message from the text of a file.

    Raises:
        ServingError: INVALID_ARGUMENT, with the line and column of what is wrong.
    """
    try:
        return text_format.Parse(text, into)
    except (text_format.ParseError, UnicodeError) as error:
        raise ServingError(f"Invalid protobuf file: '{path}' ({error})") from error
