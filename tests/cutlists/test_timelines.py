"""Timelines of editors: what is seen of their tracks, in OTIO, FCPXML and Final Cut 7 XML."""

from __future__ import annotations

import io
import sys
import zipfile
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import opentimelineio as otio
import pytest

from scorebed.cutlists import read_markers
from scorebed.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cutlists.conftest import Read

FILM = Fraction(24000, 1001)
NTSC = Fraction(30000, 1001)


def span(start: int, frames: int, rate: float = 23.976) -> Any:
    time = otio.opentime.RationalTime
    return otio.opentime.TimeRange(time(start, rate), time(frames, rate))


def clip(name: str, start: int, frames: int) -> Any:
    return otio.schema.Clip(name=name, source_range=span(start, frames))


def gap(frames: int) -> Any:
    return otio.schema.Gap(source_range=span(0, frames))


def dissolve(before: int, after: int) -> Any:
    time = otio.opentime.RationalTime
    return otio.schema.Transition(in_offset=time(before, 23.976), out_offset=time(after, 23.976))


def timeline() -> Any:
    inner = otio.schema.Stack(name="inner", source_range=span(20, 60))
    inner.append(otio.schema.Track(children=[clip("x", 0, 50), clip("y", 0, 50)]))
    hidden = clip("hidden", 0, 30)
    hidden.enabled = False
    noted = clip("b", 500, 100)
    noted.markers.append(otio.schema.Marker(name="look", marked_range=span(510, 1)))
    first = otio.schema.Track(
        name="V1",
        children=[clip("a", 0, 100), dissolve(12, 12), noted, inner, gap(20), clip("c", 0, 100)],
    )
    second = otio.schema.Track(name="V2", children=[gap(120), clip("over", 0, 20), hidden])
    sound = otio.schema.Track(kind=otio.schema.TrackKind.Audio, children=[clip("s", 0, 33)])
    made = otio.schema.Timeline(name="t", global_start_time=span(86_400, 1).start_time)
    made.tracks.extend([first, second, sound])
    made.tracks.markers.append(otio.schema.Marker(name="top", marked_range=span(7, 1)))
    return made


SEEN = [
    (88, 112, "dissolve", "b"),
    (120, None, "cut", "over"),
    (140, None, "cut", "b"),
    (200, None, "cut", "x"),
    (230, None, "cut", "y"),
    (260, None, "cut", ""),
    (280, None, "cut", "c"),
]


def test_otio_tracks_transitions_and_nests(read: Read) -> None:
    text = timeline().to_json_string()
    assert read("a.otio", text, frames=380, rate=FILM) == SEEN
    # The start's timecode is the picture's, or the picture is a part by its own.
    start_s = 86_400 / FILM
    assert read("a.otio", text, frames=380, rate=FILM, timecode_s=start_s) == SEEN
    part = read("a.otio", text, frames=100, rate=FILM, timecode_s=start_s + 130 / FILM)
    assert [cut[0] for cut in part] == [10, 70]


def test_otio_without_its_library(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "scorebed.cutlists.otio", raising=False)
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(MediaError, match="not installed") as caught:
        read("a.otio", timeline().to_json_string(), frames=380, rate=FILM)
    assert "pip install opentimelineio" in caught.value.remedy


def test_otioz_and_collections(read: Read) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as bundle:
        bundle.writestr("content.otio", timeline().to_json_string())
    assert read("a.otioz", packed.getvalue(), frames=380, rate=FILM) == SEEN
    other = otio.schema.Timeline(name="long")
    other.tracks.append(otio.schema.Track(children=[clip("a", 0, 9000), clip("b", 0, 9000)]))
    both = otio.schema.SerializableCollection(children=[other, timeline()])
    assert read("a.otio", both.to_json_string(), frames=380, rate=FILM) == SEEN


def test_otio_markers_on_clips_count_in_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.otio").write_text(timeline().to_json_string())
    found = read_markers(
        tmp_path / "a.otio", frame_rate=FILM, timecode_s=None, duration_s=380 / FILM
    )
    assert found == ((7 / FILM, "top"), (110 / FILM, "look"))


def frames(number: int) -> str:
    return f"{number * 1001}/30000s"


def fcpxml(spine: str, *, extra: str = "", start: str = "0s") -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE fcpxml>
<fcpxml version="1.11"><resources>
<format id="r1" frameDuration="1001/30000s"/>
<asset id="r2" name="A" start="{frames(1000)}" duration="{frames(5000)}" hasVideo="1" hasAudio="1"/>
<asset id="r3" name="S" start="0s" duration="{frames(5000)}" hasAudio="1"/>
<effect id="r4" name="Cross Dissolve"/>{extra}
</resources><library><event><project name="p">
<sequence format="r1" tcStart="{start}" tcFormat="NDF"><spine>{spine}</spine></sequence>
</project></event></library></fcpxml>"""


CUT = fcpxml(
    start=frames(108_000),
    spine=f"""
<asset-clip ref="r2" name="one" offset="{frames(108_000)}" start="{frames(1200)}"
  duration="{frames(300)}">
  <asset-clip ref="r2" lane="1" name="over" offset="{frames(1260)}" duration="{frames(60)}"/>
  <asset-clip ref="r3" lane="2" name="sound" offset="{frames(1210)}" duration="{frames(33)}"/>
  <title ref="r4" lane="3" name="Title" offset="{frames(1220)}" duration="{frames(55)}"/>
  <video ref="r2" lane="1" name="off" enabled="0" offset="{frames(1400)}" duration="{frames(9)}"/>
  <marker start="{frames(1230)}" duration="{frames(1)}" value="hit"/>
</asset-clip>
<transition offset="{frames(108_285)}" duration="{frames(30)}"><filter-video ref="r4"/></transition>
<asset-clip ref="r2" name="two" offset="{frames(108_300)}" duration="{frames(200)}">
  <spine lane="1" offset="{frames(1100)}">
    <asset-clip ref="r2" name="s1" offset="0s" duration="{frames(20)}"/>
    <asset-clip ref="r2" name="s2" offset="{frames(20)}" duration="{frames(20)}"/>
  </spine>
</asset-clip>
<gap name="Gap" offset="{frames(108_500)}" start="3600s" duration="{frames(30)}"/>
<asset-clip ref="r2" name="three" offset="{frames(108_530)}" duration="{frames(70)}"/>
""",
)
CUT_SEEN = [
    (60, None, "cut", "over"),
    (120, None, "cut", "one"),
    (285, 315, "dissolve", "two"),
    (400, None, "cut", "s1"),
    (420, None, "cut", "s2"),
    (440, None, "cut", "two"),
    (500, None, "cut", ""),
    (530, None, "cut", "three"),
]


def test_fcpxml_lanes_storylines_titles_and_transitions(read: Read) -> None:
    assert read("a.fcpxml", CUT, frames=600, rate=NTSC) == CUT_SEEN
    assert read("b.fcpxmld/Info.fcpxml", CUT, frames=600, rate=NTSC) == CUT_SEEN


def test_fcpxml_bundles_are_folders(read: Read, tmp_path: Path) -> None:
    read("b.fcpxmld/Info.fcpxml", CUT, frames=600, rate=NTSC)
    found = read_markers(
        tmp_path / "b.fcpxmld", frame_rate=NTSC, timecode_s=None, duration_s=600 / NTSC
    )
    assert found == ((30 / NTSC, "hit"),)
    with pytest.raises(MediaError, match="is a folder"):
        read_markers(tmp_path, frame_rate=NTSC, timecode_s=None, duration_s=Fraction(1))


def test_fcpxml_compound_multicam_and_sync_clips(read: Read) -> None:
    extra = f"""
<media id="m1"><sequence format="r1" tcStart="0s" duration="{frames(200)}"><spine>
 <asset-clip ref="r2" name="n1" offset="0s" duration="{frames(100)}"/>
 <asset-clip ref="r2" name="n2" offset="{frames(100)}" duration="{frames(100)}"/>
</spine></sequence></media>
<media id="m2"><multicam tcStart="0s">
 <mc-angle angleID="A">
  <asset-clip ref="r2" name="a1" offset="0s" duration="{frames(900)}"/></mc-angle>
 <mc-angle angleID="B"><gap offset="0s" duration="{frames(20)}"/>
  <asset-clip ref="r2" name="b1" offset="{frames(20)}" duration="{frames(880)}"/></mc-angle>
</multicam></media>"""
    spine = f"""
<ref-clip ref="m1" name="nest" offset="0s" start="{frames(60)}" duration="{frames(100)}"/>
<mc-clip ref="m2" name="mc" offset="{frames(100)}" start="{frames(10)}" duration="{frames(50)}">
 <mc-source angleID="A" srcEnable="audio"/><mc-source angleID="B" srcEnable="video"/></mc-clip>
<mc-clip ref="m2" name="mc" offset="{frames(150)}" start="{frames(60)}" duration="{frames(50)}">
 <mc-source angleID="A" srcEnable="all"/></mc-clip>
<sync-clip name="sync" offset="{frames(200)}" duration="{frames(50)}"><spine>
 <asset-clip ref="r2" name="y1" offset="0s" duration="{frames(30)}"/>
 <asset-clip ref="r2" name="y2" offset="{frames(30)}" duration="{frames(30)}"/>
</spine><asset-clip ref="r3" lane="-1" offset="0s" duration="{frames(50)}"/></sync-clip>
<ref-clip ref="m1" name="slow" offset="{frames(250)}" duration="{frames(50)}">
 <timeMap><timept time="0s" value="0s"/></timeMap></ref-clip>
"""
    found = read("a.fcpxml", fcpxml(spine, extra=extra), frames=300, rate=NTSC)
    assert [(cut[0], cut[3]) for cut in found] == [
        (40, "n2"), (100, ""), (110, "b1"), (150, "a1"), (200, "y1"), (230, "y2"), (250, "slow"),
    ]  # fmt: skip


def test_fcpxml_fades_from_and_to_black(read: Read) -> None:
    spine = f"""
<transition offset="0s" duration="{frames(20)}"/>
<asset-clip ref="r2" name="one" offset="0s" duration="{frames(100)}"/>
<asset-clip ref="r2" name="two" offset="{frames(100)}" duration="{frames(100)}"/>
<transition offset="{frames(180)}" duration="{frames(20)}"/>
"""
    assert read("a.fcpxml", fcpxml(spine), frames=200, rate=NTSC) == [
        (0, 20, "fade", "one"),
        (100, None, "cut", "two"),
        (180, 200, "fade", ""),
    ]


RATE = "<rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate>"


def item(name: str, start: int, end: int, *inside: str, into: int = 0, number: int = 1) -> str:
    return f"""<clipitem id="c-{name}"><name>{name}</name>{RATE}<start>{start}</start>
<end>{end}</end><in>{into}</in><out>{into + 100}</out>
{"".join(inside) or f'<file id="f{number}"><name>f</name></file>'}</clipitem>"""


def blend(start: int, end: int, alignment: str = "center") -> str:
    return f"""<transitionitem>{RATE}<start>{start}</start><end>{end}</end>
<alignment>{alignment}</alignment><effect><name>Cross Dissolve</name></effect></transitionitem>"""


def sequence(name: str, *tracks: str, more: str = "") -> str:
    shown = "".join(f"<track>{track}<enabled>TRUE</enabled></track>" for track in tracks)
    return f"""<sequence id="{name}"><name>{name}</name>{RATE}{more}
<media><video>{shown}</video><audio><track>{item("s", 33, 44)}</track></audio></media></sequence>"""


NESTED = sequence("inner", item("x", 0, 50) + item("y", 50, 100))
XMEML = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE xmeml>
<xmeml version="4">{
    sequence(
        "main",
        item("a", 0, -1)
        + blend(88, 112)
        + item("b", -1, 200, "<marker><name>look</name><in>510</in></marker>", into=488)
        + item("nest", 200, 260, NESTED, into=20)
        + item("again", 260, 300, '<sequence id="inner"/>', into=30)
        + item("off", 300, 320, "<enabled>FALSE</enabled>")
        + item("c", 320, 400)
        + blend(390, 400, "end-black"),
        item("over", 120, 140)
        + item("logo", 150, 160, "<alphatype>straight</alphatype>")
        + item("Adjustment", 330, 340, '<file id="g"><mediaSource>Slug</mediaSource></file>')
        + item("Adjustment", 350, 360, '<file id="g"/>'),
        more="<timecode><rate><timebase>24</timebase><ntsc>TRUE</ntsc></rate><frame>86400</frame>"
        "</timecode><marker><comment>top</comment><in>7</in><out>-1</out></marker>",
    )
}</xmeml>"""


def test_xmeml_tracks_transitions_and_nests(read: Read, tmp_path: Path) -> None:
    assert read("a.xml", XMEML, frames=400, rate=FILM) == [
        (88, 112, "dissolve", "b"),
        (120, None, "cut", "over"),
        (140, None, "cut", "b"),
        (200, None, "cut", "x"),
        (230, None, "cut", "y"),
        (260, None, "cut", "x"),
        (280, None, "cut", "y"),
        (300, None, "cut", ""),
        (320, None, "cut", "c"),
        (390, 400, "fade", ""),
    ]
    found = read_markers(
        tmp_path / "a.xml", frame_rate=FILM, timecode_s=None, duration_s=400 / FILM
    )
    assert found == ((7 / FILM, "top"), (110 / FILM, "look"))


HALVES = "".join(
    f'<media id="m{n}"><sequence duration="9s"><spine><ref-clip ref="m{n + 1}" duration="4s"/>'
    f'<ref-clip ref="m{n + 1}" duration="4s"/></spine></sequence></media>'
    for n in range(30)
)
DOUBLING = fcpxml('<ref-clip ref="m0" offset="0s" duration="9s"/>', extra=HALVES)
NESTED_IN_ITSELF = sequence(
    "s", item("a", 0, 100, '<sequence id="s"/>') + item("b", 100, 200, '<sequence id="s"/>')
)
ENDLESS = fcpxml(
    '<ref-clip ref="m" offset="0s" duration="9s"/>',
    extra='<media id="m"><sequence duration="9s"><spine><ref-clip ref="m" offset="0s"/>'
    '<ref-clip ref="m" offset="4s"/></spine></sequence></media>',
)
DEEP = fcpxml(
    '<asset-clip ref="r2" offset="0s"/>'
    + '<asset-clip ref="r2" lane="1" offset="0s">' * 5000
    + "</asset-clip>" * 5000
)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xml", '<!DOCTYPE x [<!ENTITY a "b">]><xmeml>&a;</xmeml>', "entities"),
        ("a.xml", "<xmeml>\n<sequence>", "line 2"),
        ("a.xml", "<html/>", "another kind"),
        ("a.xml", "<xmeml/>", "no sequence"),
        ("a.xml", "<xmeml><sequence><name>s</name></sequence></xmeml>", "frame rate"),
        ("a.xml", XMEML.replace("<start>320", "<start>x"), "number"),
        ("a.fcpxml", "<fcpxml/>", "no project"),
        ("a.fcpxml", CUT.replace('duration="', 'duration="x', 1), "duration of asset 'A'"),
        ("a.fcpxml", DOUBLING, "without end"),
        ("a.fcpxml", ENDLESS, "too deeply"),
        ("a.xml", f"<xmeml>{NESTED_IN_ITSELF}</xmeml>", "too deeply"),
        ("a.fcpxml", DEEP, "too deeply"),
        ("a.otio", "{", "OpenTimelineIO"),
        ("a.otio", otio.schema.Clip(name="c").to_json_string(), "no timeline"),
        ("a.otioz", b"PK\x03\x04", "bundle"),
        ("a.bin", b"a\0b", "no text"),
    ],
)
def test_what_is_damaged_is_refused(read: Read, name: str, content: str | bytes, said: str) -> None:
    with pytest.raises(MediaError, match=said) as caught:
        read(name, content, frames=400)
    assert name in caught.value.message
    assert caught.value.remedy


def test_a_list_of_many_clips_is_read_at_once(read: Read) -> None:
    """A few thousand clips on three tracks: a long film, not the square of it."""
    tracks = [
        "".join(item("c", at, at + 10) for at in range(0, 20_000, 20 + track)) for track in range(3)
    ]
    text = f"<xmeml>{sequence('long', *tracks)}</xmeml>"
    assert len(read("a.xml", text, frames=20_010, rate=FILM)) > 2000


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.xml", XMEML), ("a.fcpxml", CUT), ("a.otio", timeline().to_json_string())],
)
def test_no_damage_is_a_traceback(
    name: str, content: str, survives: Callable[[str, bytes], int]
) -> None:
    assert survives(name, content.encode()) > 1
