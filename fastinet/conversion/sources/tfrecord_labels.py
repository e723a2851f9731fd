"""From the numbers in TFRecord files to labels in the order of the WNIDs, by more than trust.

What a number stands for is told by the synset in the record, by the WNID with which a training image's file
name begins, and by a list of the classes; without a list, by what other records say of the same number. Two
of these that disagree are an error, never a guess. Where the numbers alone are told, they are kept.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fastinet.conversion.sources.files import lines_of
from fastinet.conversion.sources.tf_example import Example
from fastinet.errors import ArgumentError, FormatError
from fastinet.format.limits import MAX_CLASSES
from fastinet.format.manifest import ClassInfo
from fastinet.imagenet.names import WNID, WNID_PREFIX

__all__ = ["Labels", "wnid_of_file"]


def wnid_of_file(name: str) -> str | None:
    """The WNID of ``n01440764_10026.JPEG``; None for other names."""
    match = WNID_PREFIX.match(name.rpartition("/")[2])
    return match[1] if match else None


class Labels:
    """Made by `read_list`, or by `learn` for every record and then `settle`.

    Attributes:
        classes: by label: sorted if all are WNIDs, else in the order of the numbers.
        by_number: label of each number.
        notes: what a person should know, for the survey.
    """

    def __init__(self, first: int) -> None:
        self.classes: tuple[ClassInfo, ...] = ()
        self.by_number: dict[int, int] = {}
        self.notes: dict[str, list[str]] = {}
        self._first = first  # the number of the first class
        self._names: dict[int, str] = {}  # by number
        self._seen: set[int] = set()  # numbers in records, while learning
        self._by_name: dict[str, int] = {}
        self._authority = "before"  # what told the names

    def read_list(self, path: Path) -> None:
        """Takes a list with one class a line, the first line for the first number.

        Raises:
            FormatError: it names a class twice, or none.
        """
        names = [line.strip() for _, line in lines_of(path)]
        repeated = next((name for name, count in Counter(names).items() if count > 1), None)
        if repeated is not None or not names:
            what = "no class" if repeated is None else f"{repeated} twice"
            raise FormatError(f"{path}: this list of classes names {what}", path=str(path))
        self._authority = f"{path.name} says"
        self._set(dict(enumerate(names, self._first)))

    def learn(self, number: int | None, synset: str, file_name: str, example: Example) -> None:
        """Notes what one record says.

        Raises:
            FormatError: another record said something else.
        """
        name = synset or wnid_of_file(file_name)
        if number is None or number < (0 if name else self._first):
            return
        if number - self._first >= MAX_CLASSES:
            raise example.error("label", f"less than {MAX_CLASSES}", str(number))
        self._seen.add(number)
        if name:
            self._agree(number, name, example)

    def settle(self, location: str) -> None:
        """Ends the learning. Numbers that stand for the WNIDs in their order stay as they are.

        Raises:
            FormatError: two numbers stand for one synset.
            ArgumentError: only some of the numbers are known to stand for a synset.
        """
        names = {number: self._names[number] for number in sorted(self._names)}
        numbers: dict[str, int] = {}
        for number, name in names.items():
            if numbers.setdefault(name, number) != number:
                both = f"labels {numbers[name]} and {number}"
                raise FormatError(f"{location}: {both} both stand for {name}", path=location)
        unknown = sorted(self._seen - set(names))
        if names and unknown:
            listed = ", ".join(map(str, unknown[:8])) + (", ..." if len(unknown) > 8 else "")
            raise ArgumentError(
                f"{location}: no record tells the synset of the labels {listed}, others do; "
                "put the list of the classes beside the files",
                path=location,
            )
        if list(names.values()) == sorted(names.values()):
            first = min([self._first, *names])
            gaps = [n for n in range(first, max(self._seen, default=first - 1) + 1) if n not in names]
            names |= {number: str(number - first) for number in gaps}
            if gaps:
                self.notes["classes named by number, as no record has their name"] = [f"{len(gaps)}"]
        self._set(names)

    def label_of(self, number: int | None, synset: str, file_name: str, example: Example) -> int:
        """The label of a record; -1: none.

        Raises:
            FormatError: there is no such class, or what the record says is contradictory.
        """
        if synset:
            if synset not in self._by_name:
                raise example.error("synset", f"one of the {len(self.classes)} classes", synset)
            if number is not None:
                self._agree(number, synset, example)
            return self._by_name[synset]
        if number is None or number == self._first - 1 == -1:
            return -1
        if number not in self.by_number:
            last = self._first + len(self.classes) - 1
            hint = ", as 0 is the background's; or do these files count from 0?" if number == 0 else ""
            raise example.error("label", f"{self._first} to {last}{hint}", str(number))
        told = wnid_of_file(file_name)
        if told in self._by_name and told != self._names[number]:
            expected = f"that of {told}, with which the file name {file_name} begins"
            raise example.error(f"label {number}", expected, f"that of {self._names[number]}")
        return self.by_number[number]

    def _agree(self, number: int, name: str, example: Example) -> None:
        known = self._names.setdefault(number, name)
        if known != name:
            raise example.error(f"synset of label {number}", f"{known}, as {self._authority}", name)

    def _set(self, names: dict[int, str]) -> None:
        self._names = names
        numbers = sorted(names)
        by_label = [names[number] for number in numbers]
        if all(map(WNID.fullmatch, by_label)):
            by_label.sort()
        self._by_name = {name: label for label, name in enumerate(by_label)}
        self.classes = tuple(map(ClassInfo, by_label))
        self.by_number = {number: self._by_name[names[number]] for number in numbers}
        moved = [number for place, number in enumerate(numbers) if self.by_number[number] != place]
        if moved:
            example = f"{names[moved[0]]}, number {moved[0]}, is now {self.by_number[moved[0]]}"
            self.notes["classes renumbered in the order of the WNIDs"] = [f"{len(moved)}: {example}"]
