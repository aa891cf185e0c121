"""matplotlib's figures as SVG inside a page: without style of their own, which a strict Content-Security-Policy forbids, with names
that no other picture of the page has, and with a message for those who cannot see it."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

SVG, LINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "fortnight", "font.size": 10.0, "axes.linewidth": 0.8}
ONE_AT_A_TIME = threading.Lock()
"""matplotlib's settings and caches belong to the whole process."""
REFERENCE = re.compile(r"url\(#([^)]+)\)")
FONT = re.compile(r"(?:(?P<weight>bold|[1-9]00)\s+)?(?P<size>[\d.]+)px\b")
ET.register_namespace("", SVG[1:-1])
ET.register_namespace("xlink", LINK[1:].partition("}")[0])


@dataclass(frozen=True)
class Shape:
    """A size in inches; a page shows the narrow one on phones instead of the wide one. An inch is 72 units of the picture."""

    name: str
    width: float
    height: float


WIDE, NARROW, SMALL = Shape("wide", 10.4, 3.8), Shape("narrow", 4.8, 3.6), Shape("small", 6.0, 2.6)
Draw = Callable[[Figure, Shape], None]


def picture(name: str, message: str, draw: Draw, shape: Shape, rows: int = 1) -> Markup:
    """An `svg` element.

    Args:
        name: a word that no other picture of the page has.
        message: what the picture says, in a sentence, which takes its place for screen readers.
        draw: puts the content into an empty figure.
        rows: how many charts above each other; each adds to the height.
    """
    with ONE_AT_A_TIME, mpl.rc_context(STYLE):
        figure = Figure(figsize=(shape.width, shape.height * (1 + 0.7 * (rows - 1))), layout="constrained")
        figure.patch.set_alpha(0)
        draw(figure, shape)
        for axes in figure.axes:
            axes.patch.set_alpha(0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(True, color="#dddddd", linewidth=0.6)
        drawn = BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inlined(drawn.getvalue(), f"{name}-{shape.name}", message, shape)


def _inlined(drawn: bytes, name: str, message: str, shape: Shape) -> Markup:
    root = ET.fromstring(drawn)  # noqa: S314 - just written by matplotlib
    for parent in root.iter():
        for child in [child for child in parent if child.tag.removeprefix(SVG) in ("metadata", "style") or "}RDF" in child.tag]:
            parent.remove(child)
    used = set()
    for element in root.iter():
        _unstyled(element)
        for key, value in list(element.attrib.items()):
            used |= set(REFERENCE.findall(value))
            element.set(key, REFERENCE.sub(rf"url(#{name}-\1)", value))
            if key == LINK:
                used.add(value.removeprefix("#"))
                element.set(key, f"#{name}-{value.removeprefix('#')}")
    for element in root.iter():
        if (own := element.attrib.pop("id", None)) in used:
            element.set("id", f"{name}-{own}")
    title = ET.Element(f"{SVG}title", {"id": f"{name}-title"})
    title.text = message
    root.insert(0, title)
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib |= {
        "viewBox": box, "role": "img", "aria-labelledby": f"{name}-title", "class": f"chart {shape.name}", "focusable": "false",
    }  # fmt: skip
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - escaped by ElementTree


def _unstyled(element: ET.Element) -> None:
    """Style as attributes, which SVG has for all that matplotlib uses; a style sheet may overrule them."""
    for part in element.attrib.pop("style", "").split(";"):
        key, _, value = (word.strip() for word in part.partition(":"))
        if key == "font":
            if found := FONT.search(value):
                element.set("font-size", found["size"])
                element.set("font-weight", found["weight"] or "normal")
        elif key and not key.startswith("font-family"):
            element.set(key, value)
