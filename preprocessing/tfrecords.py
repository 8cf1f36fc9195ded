"""The frame of a record in a TFRecord file."""

from __future__ import annotations

import struct

import google_crc32c


def framed(record: bytes) -> bytes:
    """Puts a record between its length and its checksum.

    The format, with its masked CRC-32C, is described at https://www.tensorflow.org/tutorials/load_data/tfrecord
    """
    length = struct.pack("<Q", len(record))
    return length + _checksum(length) + record + _checksum(record)


def _checksum(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
