"""The part of the math font that one page needs, as WOFF2; cached, since cutting it takes a second."""

from __future__ import annotations

import hashlib
import os
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Final

from fontTools import subset
from fontTools.ttLib import TTFont
from platformdirs import user_cache_dir

from derive.sheet.symbols import styled

_FONT: Final = "STIXTwoMath-Regular.ttf"
_FORMAT: Final = "1"  # part of the cache's key: raise it when the way of cutting changes


def font_subset(characters: str) -> bytes | None:
    """The font's glyphs for these characters with their larger variants, or None without the font's wheel.

    The letters come with their italic forms, which a browser takes for a single-letter `<mi>`.
    """
    path = _font_path()
    if path is None:
        return None
    wanted = "".join(sorted({*characters, *styled(characters, "italic")} - set(" \n")))
    data = path.read_bytes()
    tools = f"{_FORMAT} {version('fonttools')} {wanted}".encode()
    cached = Path(user_cache_dir("derive")) / "fonts" / f"{hashlib.sha256(data + tools).hexdigest()}.woff2"
    try:
        return cached.read_bytes()
    except OSError:
        cut = _cut(data, wanted)
        _store(cached, cut)
        return cut


def _font_path() -> Path | None:
    package = find_spec("ziamath")
    for folder in package.submodule_search_locations or () if package else ():
        if (path := Path(folder) / "fonts" / _FONT).is_file():
            return path
    return None


def _cut(data: bytes, wanted: str) -> bytes:
    options = subset.Options()
    options.layout_features = ["*"]  # ssty holds the primes for script size
    options.hinting = False
    options.flavor = "woff2"
    options.name_IDs = [0, 1, 2, 5, 13, 14]  # copyright and licence travel with the glyphs
    font = TTFont(BytesIO(data), recalcTimestamp=False, lazy=False)
    cutter = subset.Subsetter(options)
    cutter.populate(text=wanted)
    cutter.subset(font)
    out = BytesIO()
    subset.save_font(font, out, options)
    return out.getvalue()


def _store(path: Path, data: bytes) -> None:
    """Keep the cut font if the cache can be written; a page does not depend on it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
