"""Keys that are repeated in different shards of a split that fastinet wrote."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fastinet.errors import FastinetError, FormatError
from fastinet.verification.members import converted
from fastinet.verification.records import Fingerprints, Records, Split

__all__ = ["repeated_keys"]

_LISTED = 100


def repeated_keys(records: Records, prints: Fingerprints, split: Split) -> Iterator[FastinetError]:
    """Yields an error for each repeated key, at most a hundred.

    Keys repeated within a shard are reported by the check of that shard. Indexed tars may repeat keys.
    """
    if not all(map(converted, split.manifest.sources_of_shards)):
        return
    place = records.range_of(split)
    numbers = np.flatnonzero(prints.has_key[place]) + place.start  # fewer than a wrong manifest says
    numbers = numbers[np.argsort(prints.keys[numbers], kind="stable")]
    same = np.flatnonzero(prints.keys[numbers[1:]] == prints.keys[numbers[:-1]])
    shards = np.searchsorted(records.ends, numbers, side="right")
    for i in same[shards[same] != shards[same + 1]][:_LISTED].tolist():
        try:
            first, second = (records.record(int(numbers[at])) for at in (i, i + 1))
        except FastinetError:
            continue  # reported by the check of the shard
        if first.key == second.key:  # not only the hashes are equal
            where = f"{second.shard}: record {second.number} ({second.key})"
            expected = "one that no other record of the split has"
            found = f"that of record {first.number} of {first.shard}"
            yield FormatError(
                f"{where}: key: expected {expected}, found {found}",
                path=second.shard,
                record=second.number,
                key=second.key,
                expected=expected,
                found=found,
            )
