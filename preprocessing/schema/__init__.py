"""The contract between the steps: schema.json, the Examples, and how documents and folders are kept.

This is the only part of `preprocessing` that the trainer may import.
"""

from preprocessing.schema.documents import Document, parse, read_config_mapping, read_mapping
from preprocessing.schema.errors import InputError
from preprocessing.schema.folders import file_digest, folder_digest, whole_folder, write_whole
from preprocessing.schema.schema import (
    PADDING,
    PARTS,
    RESERVED,
    SCHEMA_FILE,
    STATISTICS_FILE,
    UNKNOWN,
    Entity,
    Feature,
    Label,
    LanguageModel,
    Part,
    Schema,
    Text,
    TextColumn,
    read_vocabulary,
    write_vocabulary,
)

__all__ = [
    "PADDING",
    "PARTS",
    "RESERVED",
    "SCHEMA_FILE",
    "STATISTICS_FILE",
    "UNKNOWN",
    "Document",
    "Entity",
    "Feature",
    "InputError",
    "Label",
    "LanguageModel",
    "Part",
    "Schema",
    "Text",
    "TextColumn",
    "file_digest",
    "folder_digest",
    "parse",
    "read_config_mapping",
    "read_mapping",
    "read_vocabulary",
    "whole_folder",
    "write_vocabulary",
    "write_whole",
]
