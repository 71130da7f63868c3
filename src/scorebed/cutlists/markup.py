"""XML of editors, read without trusting it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from scorebed.cutlists.listing import Unreadable


def parse(content: bytes) -> ET.Element:
    """The root of a document.

    No editor declares entities; a document that does is refused, for a few of them can unfold to
    gigabytes.

    Raises:
        Unreadable: If it is damaged, with the line.
    """
    if b"<!ENTITY" in content or "<!ENTITY".encode("utf-16-le") in content:
        raise Unreadable("it declares entities of its own, which no editor does")
    try:
        return ET.fromstring(content)  # noqa: S314 - see above
    except ET.ParseError as error:
        line, column = error.position
        raise Unreadable(f"line {line}, column {column}: it is not whole ({error.msg})") from error
    except (LookupError, ValueError) as error:
        raise Unreadable(f"its encoding is not known ({error})") from error
