"""What holds of files of every kind that others have written."""

from __future__ import annotations

import re
from pathlib import Path

from sacrofem.errors import InputError

ZLIB_RATIO = 1032
"""Bytes that deflate packs into one at most (zlib's technical notes)."""


def check_document_type(path: Path, content: bytes) -> None:
    """Refuse XML with a document type: its entities expand without end or read other files.

    Raises
    ------
    InputError
    """
    if re.search(rb"<!(?:DOCTYPE|ENTITY)", content):
        raise InputError("holds an XML document type", file=path, mend="export it again without one")
