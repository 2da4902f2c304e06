"""TCP streams and V2GTP frames by themselves: any order, any cut, any loss."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from plugpass.iso15118.capture.frames import Frame, FrameCutter, Unframed
from plugpass.iso15118.capture.tcp import MAX_HELD, MAX_HELD_SEGMENTS, PATIENCE, Gap, Piece, Stream
from plugpass.iso15118.v2gtp import MAX_PAYLOAD, PayloadType, frame

SPACE = 1 << 32
PAYLOADS = st.lists(st.binary(max_size=60), min_size=1, max_size=6)


def joined(pieces: list[Piece]) -> bytes:
    assert not any(isinstance(piece, Gap) for piece in pieces)
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


# --- streams --------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=1, max_size=200), st.integers(0, SPACE - 1), st.data())
def test_segments_in_any_order_and_overlap_give_the_stream(octets: bytes, start: int, data: st.DataObject) -> None:
    stream = Stream()
    stream.open((start - 1) % SPACE)
    bounds = st.integers(0, len(octets))
    extra = data.draw(st.lists(st.tuples(bounds, bounds).map(sorted), max_size=6))
    cuts = sorted(data.draw(st.sets(bounds, max_size=5)) | {0, len(octets)})
    ranges = data.draw(st.permutations([*pairwise(cuts), *map(tuple, extra)]))
    pieces = [piece for a, b in ranges for piece in stream.segment((start + a) % SPACE, octets[a:b])]
    assert joined(pieces) == octets
    assert stream.flush() == []
    assert not stream.waiting


@given(st.binary(min_size=3, max_size=60), st.data())
def test_what_is_lost_is_counted(octets: bytes, data: st.DataObject) -> None:
    stream = Stream()
    stream.open(SPACE - 6)
    a = data.draw(st.integers(0, len(octets) - 2))
    b = data.draw(st.integers(a + 1, len(octets) - 1))
    pieces = stream.segment(SPACE - 5, octets[:a]) + stream.segment((SPACE - 5 + b) % SPACE, octets[b:])
    assert stream.waiting
    assert pieces + stream.flush() == [*([octets[:a]] if a else []), Gap(b - a), octets[b:]]


def test_a_hole_that_the_peer_has_acknowledged_is_given_up() -> None:
    stream = Stream()
    stream.open(9)
    assert stream.segment(14, b"later") == []
    for _ in range(PATIENCE - 1):
        assert stream.acknowledged(19) == []
    assert stream.acknowledged(10) == []  # repeated: that is not behind the hole
    assert stream.acknowledged(19) == [Gap(4), b"later"]


def test_what_piles_up_behind_a_hole_is_bounded() -> None:
    for size in (1, MAX_HELD // MAX_HELD_SEGMENTS * 2):
        stream = Stream()
        stream.open(9)
        count, pieces = 0, []
        while not pieces:
            count += 1
            assert count <= MAX_HELD_SEGMENTS + 1
            pieces = stream.segment(20 + count * size, bytes(size))
        assert isinstance(pieces[0], Gap)
        assert not stream.waiting


def test_a_stream_joined_later_starts_where_it_is() -> None:
    stream = Stream()
    assert stream.segment(500, b"") == []
    assert stream.segment(500, b"abc") == [b"abc"]
    assert stream.starts_anew(700)


def test_a_repeated_syn_is_no_new_connection() -> None:
    stream = Stream()
    assert not stream.starts_anew(9)
    stream.open(9)
    stream.segment(10, b"abc")
    assert not stream.starts_anew(9)
    assert stream.starts_anew(10)


# --- frames ---------------------------------------------------------------------------------------------------------


def split(octets: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    return [octets[a:b] for a, b in pairwise(bounds)]


@given(PAYLOADS, st.lists(st.integers(0, 10_000), max_size=8))
def test_frames_however_they_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    cutter = FrameCutter()
    octets = b"".join(frame(PayloadType.AC_20, payload) for payload in payloads)
    found = [cut for part in split(octets, cuts) for cut in cutter.receive(part)] + cutter.flush()
    assert [cut.payload for cut in found if isinstance(cut, Frame)] == payloads
    assert len(found) == len(payloads)
    assert sum(8 + len(payload) for payload in payloads) == len(octets)


@given(
    st.binary(max_size=60).filter(lambda junk: b"\x01" not in junk), PAYLOADS, st.lists(st.integers(0, 999), max_size=8)
)
def test_junk_between_frames_is_passed_over(junk: bytes, payloads: list[bytes], cuts: list[int]) -> None:
    payloads = [payload.replace(b"\x01", b"\x02") for payload in payloads]
    octets = junk.join([b"", *(frame(PayloadType.SAP, payload) for payload in payloads), b""])
    cutter = FrameCutter()
    found = [cut for part in split(octets, cuts) for cut in cutter.receive(part)] + cutter.flush()
    assert [cut.payload for cut in found if isinstance(cut, Frame)] == payloads
    passed = [cut for cut in found if isinstance(cut, Unframed)]
    assert sum(cut.size for cut in passed) == len(junk) * (len(payloads) + 1)
    assert all(junk.startswith(cut.start[: len(junk)]) for cut in passed)
    offset = 0
    for cut in found:
        assert cut.offset == offset
        offset += 8 + len(cut.payload) if isinstance(cut, Frame) else cut.size


@given(st.lists(st.binary(max_size=40) | st.integers(0, 50), max_size=12))
def test_any_stream_is_accounted_for(parts: list[bytes | int]) -> None:
    cutter = FrameCutter()
    found = []
    for part in parts:
        if isinstance(part, bytes):
            found += cutter.receive(part)
        else:
            cutter.lose(part)
    found += cutter.flush()
    sizes = (8 + len(cut.payload) if isinstance(cut, Frame) else cut.size for cut in found)
    assert sum(sizes) == sum(len(part) if isinstance(part, bytes) else part for part in parts)


def test_a_hole_costs_the_frame_it_is_in() -> None:
    frames = [frame(PayloadType.SAP, bytes((2,)) * 20) for _ in range(3)]
    cutter = FrameCutter()
    assert len(cutter.receive(frames[0] + frames[1][:11])) == 1
    cutter.lose(10)
    lost, last = cutter.receive(frames[1][21:] + frames[2])
    assert lost == Unframed(
        offset=28, size=28, missing=10, start=frames[1][:11] + frames[1][21:], reason="10 octets were not captured"
    )
    assert isinstance(last, Frame)
    assert last.offset == 56


def test_a_frame_that_is_not_finished_is_told_at_the_end() -> None:
    cutter = FrameCutter()
    whole = frame(PayloadType.SAP, bytes(20))
    assert cutter.receive(whole[:-1]) == []
    assert cutter.flush() == [Unframed(offset=0, size=27, start=whole[:-1], reason="the stream ends within this frame")]


def test_a_length_above_the_limit_is_not_waited_for() -> None:
    cutter = FrameCutter()
    good = frame(PayloadType.SAP, b"x")
    huge, found = cutter.receive(b"\x01\xfe\x80\x01" + (MAX_PAYLOAD + 1).to_bytes(4, "big") + good)
    assert isinstance(huge, Unframed)
    assert "announces 65537 octets" in huge.reason
    assert isinstance(found, Frame)
