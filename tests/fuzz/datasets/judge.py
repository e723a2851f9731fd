"""What is wrong with what came of a mutant.

Wrong are, whatever was changed: exceptions that are not fastinet's (a MemoryError too, unless an image was
changed that asks for the memory), a file that an export writes outside of its folder, and silence of
``verify`` about what reading refuses. Crashes and hangs are seen from outside: ``pool.py``.

Of a changed image that was written with the right checksums, the pixels have to be Pillow's.

Wrong is, too, a difference in silence: each value that is delivered has to be the unchanged dataset's, and an
epoch with ``on_error="skip"`` delivers every record that can be read and counts the others. Not so for

- liars, whose checksums were made anew: those are other datasets, by all that a reader can know. But
  ``verify`` has to tell where a sidecar no longer says what its tar says;
- sidecars that change in place while they are mapped ("late"): their checksum was compared before;
- ``names.json``, which has no checksum: an export may give files other names, but no other contents;
- a ``columns.json`` that is not there, which is a dataset without columns.

Tar headers and padding are under the shard's hash alone. Only ``verify`` and exports that read the tar's
members look at them, so that what is delivered from them stays the same, or is refused.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from drive import Seen, convey, innermost
from mutant import Mutant
from PIL import Image

__all__ = ["Fault", "judge"]

# Errors that say nothing of the dataset: of a class or of records that a liar's dataset does not have.
_OF_THE_QUESTION = ("selection", "export", "index", "verify the index")


class Fault(NamedTuple):
    """Something wrong.

    Attributes:
        sort: "crash", "hang", "foreign exception", "silent difference", "verify is silent", "escape".
        where: what faults with the same cause have in common.
        message: of the first one.
    """

    sort: str
    where: str
    message: str


def judge(mutant: Mutant, base: Seen, seen: Seen) -> Iterator[Fault]:
    """All that is wrong."""
    for what, error in seen.foreign.items():
        if isinstance(error, MemoryError) and mutant.image is not None:
            continue
        where = f"{type(error).__name__} in {innermost(error)}, {_general(what)}"
        yield Fault("foreign exception", where, str(error))
    differences = list(_differences(mutant, base, seen))
    if not mutant.liar and not (mutant.late and _of_sidecar(mutant)):
        yield from differences
    if mutant.image is not None:
        yield from _of_pixels(mutant.image, seen)
    problems = seen.values.get("verify")
    if problems == []:
        yield from _untold(mutant, seen, differences)
    if seen.values.get("verify the index"):
        yield Fault(
            "verify is silent", "what was indexed does not verify", seen.values["verify the index"][0]
        )


def _untold(mutant: Mutant, seen: Seen, differences: list[Fault]) -> Iterator[Fault]:
    for what, error in seen.refused.items():
        if not what.startswith(_OF_THE_QUESTION) and "no records to load" not in str(error):
            where = f"{_general(what)} is refused: {type(error).__name__}: {_topic(mutant)}"
            yield Fault("verify is silent", where, str(error))
            return
    if mutant.must_tell:
        yield Fault("verify is silent", f"the sidecar is not of this tar: {_topic(mutant)}", mutant.what)
    elif (differences := list(filter(_claims, differences))) and mutant.liar and _of_sidecar(mutant):
        yield Fault("verify is silent", f"{differences[0].where}: {_topic(mutant)}", differences[0].message)


def _differences(mutant: Mutant, base: Seen, seen: Seen) -> Iterator[Fault]:
    for what, value in seen.values.items():
        if what == "columns" and mutant.files.get("columns.json") in ("missing", "dangling"):
            continue
        if what.startswith("batches"):
            yield from _of_batches(what, base.values[what], value)
        elif what == "epoch, skip":
            yield from _of_skipping(mutant, base, seen)
        elif what.startswith("export") and "names.json" in mutant.files:
            if "parquet" not in what and Counter(h for _, h in value) != Counter(
                h for _, h in base.values[what]
            ):
                yield Fault("silent difference", f"{what} has other contents", f"{value}"[:200])
        elif what not in ("verify", "index", "verify the index", "pixels") and value != base.values.get(what):
            message = f"{what}: expected {base.values.get(what)!r:.150}, found {value!r:.150}"
            yield Fault("silent difference", _general(what), message)


def _of_batches(
    what: str, expected: dict[int, list[object]], found: dict[int, list[object]]
) -> Iterator[Fault]:
    for index, values in found.items():
        if index not in expected:
            yield Fault("silent difference", f"{what}: a record that is not there", f"record {index}")
        elif any(one != two for one, two in zip(expected[index], values, strict=False)):
            yield Fault("silent difference", f"{what}: a sample", f"record {index}")


def _of_skipping(mutant: Mutant, base: Seen, seen: Seen) -> Iterator[Fault]:
    given, left_out = seen.values["epoch, skip"]
    if given + left_out != base.values["epoch, skip"][0]:
        yield Fault(
            "silent difference", "epoch, skip: records are lost", f"{given} given, {left_out} skipped"
        )
    if any(name.endswith(".idx") for name in mutant.files):  # its entry points may be what is damaged
        return
    for index in base.values["batches, skip"]:
        sound = all(f"{part} {index}" in seen.values for part in ("payload", "key", "boxes", "fields"))
        if sound and index not in seen.values["batches, skip"]:
            yield Fault("silent difference", "epoch, skip: a good record is left out", f"record {index}")


def _of_pixels(image: bytes, seen: Seen) -> Iterator[Fault]:
    """Pixels are Pillow's, and what Pillow refuses is refused. It may be that only Pillow takes an image."""
    if "pixels" not in seen.values:
        return
    try:
        with Image.open(io.BytesIO(image)) as opened:
            told = opened.format
            expected = np.asarray(opened.convert("RGB"))
    except MemoryError:
        return
    except Exception as error:
        yield Fault("silent difference", "pixels of an image that Pillow refuses", repr(error))
        return
    if seen.values["pixels"] != convey(expected):
        shapes = f"expected {expected.shape}, found {seen.values['pixels'][1]}"
        yield Fault("silent difference", f"pixels of {told} that are not Pillow's", shapes)


def _claims(difference: Fault) -> bool:
    """Whether a liar's difference says something false, not that the format of an image is not known."""
    found = re.fullmatch(r"fields \d+: expected (.*, )'\w+'\], found (.*, )''\]", difference.message)
    return found is None or found[1] != found[2]


def _of_sidecar(mutant: Mutant) -> bool:
    return any(name.endswith(".idx") for name in mutant.files) and not any(
        name.endswith(".tar") for name in mutant.files
    )


def _general(what: str) -> str:
    return re.sub(r" \d+", " N", what)


def _topic(mutant: Mutant) -> str:
    """The kind of file, and what was done there, without numbers and values."""
    name, _, rest = mutant.what.partition(": ")
    done = re.match(r"[A-Za-z_ ]*(?:\d+: \w+)?", rest)
    kind = name if name.endswith(".json") else f".{name.rpartition('.')[2]}"
    return f"{kind}: {re.sub('[0-9]+', 'N', done[0] if done else '').strip()}"
