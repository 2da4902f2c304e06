"""Hard work for the C engine, as a program of its own: what it costs in memory, and what a sanitizer says.

python engine_workout.py (leaks | starve | roam) COUNT [EXTENSION]

EXTENSION is a build of the engine to use instead of the installed one. Prints one JSON object.
"""

from __future__ import annotations

import gc
import importlib.machinery
import importlib.util
import json
import random
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Operation = Callable[[], object]


def use_extension(path: str) -> None:
    """Take this build of the C engine for the installed one."""
    name = "plugpass.exi._engine"
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    sys.modules[name] = importlib.util.module_from_spec(spec)
    loader.exec_module(sys.modules[name])


def operations() -> list[Operation]:
    """Reading and writing real messages, and being refused in every place and for every reason."""
    from engine_agreement import Engines, places, replaced
    from exi_vectors import vectors

    from plugpass.exi.roots import load

    native = Engines().native
    wrong = (None, True, -1, 2**70, "\ud800", "\u00fc\U0001f50b", b"\0" * 9, (), [], 1.5)
    chosen = [vector for vector in vectors("sap")[:2] + vectors("iso2")[::9] if len(vector.stream) < 3000]
    made: list[Operation] = []
    for vector in chosen:
        loaded = load(vector.schema)
        roots = loaded.fragments if vector.fragment else loaded.documents
        stream = vector.stream
        message = native.decode(roots, stream)
        streams = [stream, stream + b"\0", *(stream[:length] for length in range(0, len(stream), 7))]
        messages = [message, *(replaced(message, path, bad) for path in list(places(message))[:20] for bad in wrong)]
        made += [lambda r=roots, s=each: native.decode(r, s) for each in streams]  # type: ignore[misc] # bound now
        made += [lambda r=roots, m=each: native.encode(r, m, "") for each in messages]  # type: ignore[misc] # bound now
    return made


def resident_kib() -> int:
    """Memory of this process: now on Linux, at its peak elsewhere."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize() // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def references() -> int:
    """References to what messages share: their classes, and the members of enumerations."""
    from plugpass.exi.binding import fields_of
    from plugpass.exi.datatypes import Enumeration
    from plugpass.exi.roots import load

    classes = [cls for schema in ("sap", "iso2") for cls in load(schema).schema.types]
    enumerations = {
        field.target.members for cls in classes for field in fields_of(cls) if isinstance(field.target, Enumeration)
    }
    shared = [*classes, *(member for enumeration in enumerations for member in enumeration), None, True, False, (), ""]
    return sum(map(sys.getrefcount, shared))


def leaks(count: int) -> dict[str, Any]:
    """Growth over `count` operations: of Python's memory blocks, of references to what is shared, of memory in KiB."""
    todo = operations()
    for operation in todo * 2:
        operation()
    references()
    gc.collect()
    blocks, shared, resident = sys.getallocatedblocks(), references(), resident_kib()
    for _ in range(-(-count // len(todo))):
        for operation in todo:
            operation()
    gc.collect()
    return {
        "operations": -(-count // len(todo)) * len(todo),
        "blocks": sys.getallocatedblocks() - blocks,
        "references": references() - shared,
        "resident_kib": resident_kib() - resident,
    }


def starve(count: int) -> dict[str, Any]:
    """Let every allocation of an operation fail, one after the other: a MemoryError each, and no leak."""
    import _testcapi

    todo = operations()
    todo = todo[:: max(1, len(todo) // count)]
    for operation in todo * 2:
        operation()
    gc.collect()
    blocks, failures = sys.getallocatedblocks(), 0
    for operation in todo:
        for number in range(1000):
            failed = False
            _testcapi.set_nomemory(number, number + 1)
            try:
                operation()
            except MemoryError:
                failed = True
            finally:
                _testcapi.remove_mem_hooks()
            failures += failed
            if not failed and number > 20:
                break
    gc.collect()
    return {"operations": len(todo), "failures": failures, "blocks": sys.getallocatedblocks() - blocks}


def roam(count: int) -> dict[str, Any]:
    """Mutated messages of every schema, the same ones every time, checked against the interpreter."""
    from engine_agreement import Engines
    from exi_vectors import supported

    chance = random.Random(15118)
    engines = Engines()
    sources = supported()
    for vector in sources:
        engines.check(vector.schema, vector.stream, fragment=vector.fragment)
    for _ in range(count):
        vector = chance.choice(sources)
        stream = bytearray(vector.stream)
        for _ in range(chance.randint(1, 4)):
            stream[chance.randrange(len(stream))] ^= chance.randint(1, 255)
        del stream[chance.randint(1, 2 * len(stream)) :]
        engines.check(vector.schema, bytes(stream), fragment=vector.fragment)
    return {"vectors": len(sources), "mutations": count}


if __name__ == "__main__":
    job, number, *extension = sys.argv[1:]
    if extension:
        use_extension(extension[0])
    print(json.dumps({"leaks": leaks, "starve": starve, "roam": roam}[job](int(number))))
