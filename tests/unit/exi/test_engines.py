"""Two engines, one meaning: the C engine agrees with the interpreter on every input, and on what it refuses."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from engine_agreement import Engines, engine, places, replaced
from exi_vectors import FILES, supported, vectors
from hypothesis import given, settings
from hypothesis import strategies as st

from plugpass.errors import ConfigurationError
from plugpass.exi import ExiDecodeError, ExiEncodeError, accelerator, decode, encode, encode_typed_fragment, engine_name
from plugpass.exi.grammar import GrammarSet
from plugpass.exi.roots import MODULES, LoadedSchema, NamedElement, load
from plugpass.exi.schema import Namespace, Schema, complex_type
from plugpass.iso15118.messages import iso2, sap, xmldsig

try:
    ENGINES = Engines()
except ConfigurationError as error:
    pytest.skip(f"the C engine is needed: {error}", allow_module_level=True)

from plugpass.exi import _engine, tables  # (there now)

VECTORS = supported()
SMALL = [vector for vector in VECTORS if len(vector.stream) < 400]
ENTRY = sap.AppProtocol(
    protocol_namespace="urn:x", version_number_major=2, version_number_minor=0, schema_id=1, priority=1
)
REQUEST = sap.SupportedAppProtocolReq(app_protocol=(ENTRY,))


# --- agreement ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", ["c", "python"])
def test_every_vector(name: str, file: str) -> None:
    with engine(name):
        assert engine_name() == name
        for vector in vectors(file):
            message = decode(vector.schema, vector.stream, fragment=vector.fragment)
            assert encode(vector.schema, message, fragment=vector.fragment) == vector.stream, vector.name


@pytest.mark.parametrize("file", FILES)
def test_the_c_engine_leaves_no_vector_to_the_interpreter(file: str) -> None:
    for vector in vectors(file):
        message = ENGINES.decode(vector.schema, vector.stream, fragment=vector.fragment)
        assert ENGINES.encode(vector.schema, message, fragment=vector.fragment) == vector.stream, vector.name


@pytest.mark.parametrize("vector", SMALL[::11], ids=lambda vector: vector.name)
def test_every_truncation(vector: Any) -> None:
    for length in range(len(vector.stream)):
        assert ENGINES.decode(vector.schema, vector.stream[:length], fragment=vector.fragment) is None


@settings(deadline=None)
@given(schema=st.sampled_from(sorted(MODULES)), body=st.binary(max_size=200), fragment=st.booleans())
def test_any_bytes(schema: str, body: bytes, fragment: bool) -> None:
    ENGINES.check(schema, b"\x80" + body, fragment=fragment)


@settings(deadline=None, max_examples=400)
@given(
    vector=st.sampled_from(VECTORS),
    changes=st.lists(st.tuples(st.integers(0, 10**4), st.integers(1, 255)), max_size=3),
    end=st.integers(0, 20),
)
def test_mutated_messages(vector: Any, changes: list[tuple[int, int]], end: int) -> None:
    stream = bytearray(vector.stream)
    for place, flip in changes:
        stream[place % len(stream)] ^= flip
    ENGINES.check(vector.schema, bytes(stream[: len(stream) - max(0, end - 15)]), fragment=vector.fragment)


EDGES = [sign * bound + step for bound in (0, 128, 2**15, 2**16, 2**63, 2**64, 2**4096) for sign in (1, -1)
         for step in (-1, 0, 1)]  # fmt: skip
ODDITIES = [
    *(None, True, False, 1.5, "\ud800", "a\U0001f50b", "x" * 70_000, b"x" * 70_000, bytearray(b"x")),
    *((), [], {}, (None,), (1, 2), int, ENTRY, (ENTRY,) * 3, [ENTRY]),
]
INTEGERS = st.integers(-(2**66), 2**66) | st.integers(0, len(EDGES) - 1).map(EDGES.__getitem__)
OTHERS = st.integers(0, len(ODDITIES) - 1).map(ODDITIES.__getitem__)
WRONG = st.one_of(INTEGERS, OTHERS, st.text(max_size=70), st.binary(max_size=70))


@settings(deadline=None, max_examples=600)
@given(vector=st.sampled_from(SMALL), where=st.integers(0, 10**6), value=WRONG)
def test_any_value_in_any_place(vector: Any, where: int, value: object) -> None:
    message = ENGINES.decode(vector.schema, vector.stream, fragment=vector.fragment)
    paths = list(places(message))
    changed = replaced(message, paths[where % len(paths)], value)
    stream = ENGINES.encode(vector.schema, changed, fragment=vector.fragment)
    assert stream is None or ENGINES.decode(vector.schema, stream, fragment=vector.fragment) == changed


@pytest.mark.parametrize("code", [iso2.PaymentOption.CONTRACT, "OK", 0])
def test_a_value_beside_the_enumeration(code: object) -> None:
    element = iso2.SessionStopRes(response_code=code)  # type: ignore[arg-type] # wrong on purpose
    assert ENGINES.encode("iso2", iso2_message(element), fragment=False) is None


def iso2_message(element: iso2.BodyElement) -> iso2.V2GMessage:
    return iso2.V2GMessage(header=iso2.MessageHeader(session_id=bytes(8)), body=iso2.Body(element))


@given(number=INTEGERS)
def test_integers_of_any_size(number: int) -> None:
    """X509SerialNumber has no bounds; 4096 bits is ours."""
    message = iso2.X509IssuerSerial(x509_issuer_name="", x509_serial_number=number)
    parts = NamedElement(name="X509IssuerSerial", value=message)
    stream = ENGINES.encode("xmldsig", parts, fragment=True)
    assert (stream is None) == (number.bit_length() > 4096)
    assert stream is None or ENGINES.decode("xmldsig", stream, fragment=True) == message


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 255, 256])
def test_octet_runs_of_any_alignment(length: int) -> None:
    text = "".join(chr(33 + number % 90) for number in range(length))
    data = bytes(number * 37 % 256 for number in range(length))
    for identifier in (None, text, text + "\u00fc"):
        message = xmldsig.SignatureValue(value=data, id=identifier)
        stream = ENGINES.encode("xmldsig", message, fragment=True)
        assert stream is not None
        assert ENGINES.decode("xmldsig", stream, fragment=True) == message


# --- what only the public functions do ------------------------------------------------------------------------------


class Number(IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "message",
    [
        REQUEST,
        sap.SupportedAppProtocolReq(app_protocol=(replaced(ENTRY, (("version_number_major", None),), Number.ONE),)),
        sap.SupportedAppProtocolReq(app_protocol=(replaced(ENTRY, (("protocol_namespace", None),), Text("urn:x")),)),
    ],
    ids=["plain", "int-subclass", "str-subclass"],
)
def test_both_engines_write_the_same(message: object) -> None:
    streams = []
    for name in ("c", "python"):
        with engine(name):
            streams.append(encode("sap", message))
    assert streams[0] == streams[1]


def test_both_engines_name_the_same_fault() -> None:
    faults: list[tuple[object, ...]] = []
    for name in ("c", "python"):
        with engine(name):
            with pytest.raises(ExiDecodeError) as reading:
                decode("iso2", bytes.fromhex("8098004011d01a0802f0"))
            with pytest.raises(ExiEncodeError) as writing:
                encode("sap", replaced(REQUEST, (("app_protocol", 0), ("priority", None)), 21))
            faults.append((reading.value.args, reading.value.path, reading.value.bit_offset, writing.value.args))
    assert faults[0] == faults[1]
    assert faults[0][1] == ("V2G_Message", "Body", "SessionSetupReq", "EVCCID")


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_streams_may_be_any_buffer(kind: Any) -> None:
    with engine("c"):
        assert decode("sap", kind(encode("sap", REQUEST))) == REQUEST


def test_typed_fragments() -> None:
    emaid = iso2.EMAID(value="UKSWI123456791A", id="id4")
    streams = set()
    for name in ("c", "python"):
        with engine(name):
            streams.add((encode_typed_fragment("iso2", emaid), encode("iso2", emaid, fragment=True)))
    assert len(streams) == 1


def test_a_message_without_all_its_slots() -> None:
    """Only `object.__new__` makes one; the C engine must not take the hole for a value."""
    with engine("c"), pytest.raises(AttributeError):
        encode("sap", object.__new__(sap.SupportedAppProtocolReq))


def test_messages_of_the_c_engine_are_ordinary_objects() -> None:
    with engine("c"):
        message = decode("sap", encode("sap", REQUEST))
    assert message == REQUEST
    assert hash(message) == hash(REQUEST)
    assert gc.is_tracked(message)
    with pytest.raises(AttributeError):
        message.app_protocol = ()


def test_many_threads_derive_the_tables_at_once() -> None:
    fresh = LoadedSchema(iso2.SCHEMA)
    small = [vector for vector in vectors("iso2") if vector.schema == "iso2" and not vector.fragment][:40]
    native = accelerator.Accelerator()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda vector: native.decode(fresh.documents, vector.stream), small * 8))
    assert found == [decode("iso2", vector.stream) for vector in small] * 8


# --- which engine ---------------------------------------------------------------------------------------------------


def test_an_engine_that_is_unknown() -> None:
    with pytest.raises(ConfigurationError, match="PLUGPASS_EXI_ENGINE is 'rust'; it can be 'c' or 'python'"):
        accelerator.select("rust")


def test_without_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plugpass.exi.tables", None)  # an ImportError, as without the extension
    assert accelerator.select("") is None
    assert accelerator.select("python") is None
    with pytest.raises(ConfigurationError, match=r"not built .*install plugpass where there is a C"):
        accelerator.select("c")


@pytest.mark.parametrize("setting", ["c", "python", ""])
def test_the_environment_decides(setting: str) -> None:
    program = "import plugpass.exi as exi; print(exi.engine_name())"
    environment = os.environ | {"PLUGPASS_EXI_ENGINE": setting}
    output = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )
    assert output.stdout.strip() == (setting or "c")


# --- tables ---------------------------------------------------------------------------------------------------------

END = (4, -1, False, 0, None, -1, -1)
TEXT = _engine.string(0, 10, 17)
NODE_FIELDS = (("child", False, False),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A type that contains itself."""

    child: Node | None = None


def roots_of(grammar: _engine.Grammar, cls: type = Node, max_depth: int = 5) -> _engine.Roots:
    return _engine.Roots(width=1, end=-1, max_depth=max_depth, roots=((3, grammar, None),), codes={cls: 0})


def node_states(grammar: _engine.Grammar | None) -> tuple[Any, ...]:
    """{child 0, end 1}, then {end 0}."""
    child = (3, 0, False, 0, grammar, 1, -1)
    return (
        (2, (child, END), ((0, ((Node, 0),)), (-1, ((None, 1),)))),
        (1, (END,), ((-1, ((None, 0),)),)),
    )


def test_a_recursive_grammar_is_collected() -> None:
    class Derive:
        grammar: _engine.Grammar | None = None

        def __call__(self) -> tuple[Any, ...]:
            return node_states(self.grammar)

    derive = Derive()
    derive.grammar = _engine.Grammar(Node, NODE_FIELDS, derive)
    roots = roots_of(derive.grammar)
    deep = Node(child=Node(child=Node()))
    stream = roots.encode(deep)
    assert stream is not None
    assert roots.decode(stream) == deep
    for _ in range(5):
        deep = Node(child=deep)
    assert roots.encode(deep) is None
    watch = weakref.ref(derive)
    del derive, roots
    gc.collect()
    assert watch() is None


BAD_STATES = [
    None,
    (),
    [],
    (None,),
    ((1, (), ()), None),
    ((99, (END,), ()),),
    ((1, (END,), ((-1, ()),)),),
    ((1, (END,), ((-1, ((None, 1),)),)),),
    ((1, (END,), ((-1, ((None, -1),)),)),),
    ((1, (END,), ((-1, (("x", 0),)),)),),
    ((1, (END,), ((0, ((None, 0),)),)),),
    ((1, (END,), ((7, ((None, 0),)),)),),
    ((1, ((2, 0, False, 0, None, 0, -1),), ()),),
    ((1, ((2, 0, False, 0, "x", 0, -1),), ()),),
    ((1, ((3, 0, False, 0, TEXT, 0, -1),), ()),),
    ((1, ((2, 0, False, 0, TEXT, 1, -1),), ()),),
    ((1, ((2, 0, False, 0, TEXT, 0, 1),), ()),),
    ((1, ((2, 1, False, 0, TEXT, 0, -1),), ()),),
    ((1, ((2, -1, False, 0, TEXT, 0, -1),), ()),),
    ((1, ((6, 0, False, 0, TEXT, 0, -1),), ()),),
    ((1, ((-1, 0, False, 0, TEXT, 0, -1),), ()),),
    ((1, ((2, 0, False, 0, TEXT, 0),), ()),),
]


@pytest.mark.parametrize("states", BAD_STATES)
def test_malformed_states_are_a_type_error(states: Any) -> None:
    roots = roots_of(_engine.Grammar(Node, NODE_FIELDS, lambda: states))
    for _ in range(2):
        with pytest.raises(TypeError):
            roots.decode(b"\x80\x00")
        with pytest.raises(TypeError):
            roots.encode(Node())


def test_what_deriving_raises_comes_through() -> None:
    def derive() -> tuple[Any, ...]:
        raise LookupError("no schema here")

    with pytest.raises(LookupError, match="no schema here"):
        roots_of(_engine.Grammar(Node, NODE_FIELDS, derive)).decode(b"\x80\x00")


class NoSlots:
    child: object = None


class Subclass(int):
    """Not made by filling slots."""

    __slots__ = ()


@pytest.mark.parametrize(
    "make",
    [
        lambda: _engine.Grammar(NoSlots, NODE_FIELDS, node_states),
        lambda: _engine.Grammar(Node, (("missing", False, False),), node_states),
        lambda: _engine.Grammar(Node, NODE_FIELDS * 65, node_states),
        lambda: _engine.Grammar(Node, [*NODE_FIELDS], node_states),  # type: ignore[arg-type] # wrong on purpose
        lambda: _engine.Grammar(Subclass, (), node_states),
        lambda: _engine.Roots(width=25, end=-1, max_depth=1, roots=(), codes={}),
        lambda: _engine.Roots(width=1, end=2**24, max_depth=1, roots=(), codes={}),
        lambda: _engine.Roots(width=1, end=-1, max_depth=1, roots=((3, TEXT, None),), codes={}),
        lambda: _engine.Roots(width=1, end=-1, max_depth=1, roots=(None,), codes={}),  # type: ignore[arg-type] # wrong on purpose
        lambda: _engine.fixed(()),
        lambda: _engine.fixed((1, 3)),
        lambda: _engine.fixed((1, "2")),
        lambda: _engine.integer(2**70, 2**71, 72),
        lambda: _engine.integer(0, 1, 4097),
        lambda: _engine.string(-1, 5, 17),
        lambda: _engine.binary(0, 2**40, 17),
        _engine.Coder,
    ],
    ids=range(17),
)
def test_malformed_tables_are_a_type_error(make: Any) -> None:
    with pytest.raises((TypeError, AttributeError)):
        make()


def test_a_class_with_its_own_initialisation_is_not_bypassed() -> None:
    namespace = Namespace(uri="urn:test")

    @complex_type(namespace)
    class Careful:
        def __post_init__(self) -> None: ...

    grammars = GrammarSet(Schema(name="careful", namespaces=(namespace,)))
    with pytest.raises(TypeError, match="__post_init__"):
        tables.compile_grammar(grammars.grammar(Careful))


def test_encode_takes_a_message_and_a_code() -> None:
    roots = tables.compile_roots(load("sap").documents)
    assert roots.encode(REQUEST, 0) == roots.encode(REQUEST)
    assert roots.encode(REQUEST, 1) is None
    assert roots.encode(REQUEST, 2) is None
    assert roots.encode(REQUEST, -1) is None
    assert roots.encode(object()) is None
    assert roots.decode(bytearray(b"\x80")) is None  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(TypeError):
        roots.encode()  # type: ignore[call-arg] # wrong on purpose
    with pytest.raises(TypeError):
        roots.encode(REQUEST, "0")  # type: ignore[arg-type] # wrong on purpose


# --- memory ---------------------------------------------------------------------------------------------------------

WORKOUT = Path(__file__).with_name("engine_workout.py")


def work_out(job: str, count: int, *arguments: str, **environment: str) -> dict[str, Any]:
    """Run the program; its answer."""
    command = [sys.executable, str(WORKOUT), job, str(count), *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{job}: {done.stderr[-4000:]}"
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
def test_a_million_operations_leak_nothing() -> None:
    growth = work_out("leaks", 10**6)
    assert growth["operations"] >= 10**6
    assert abs(growth["blocks"]) < 100
    assert abs(growth["references"]) < 10
    assert growth["resident_kib"] < 1024


def test_memory_that_runs_out_at_every_allocation() -> None:
    pytest.importorskip("_testcapi", reason="needs CPython's own test module _testcapi")
    growth = work_out("starve", 300)
    assert growth["failures"] > 300
    assert abs(growth["blocks"]) < 100
