"""Words, glosses, hierarchy and the choice of classes, from metadata files to the loader."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import images
import numpy as np
import pytest
from click.testing import CliRunner
from folders import small_jpeg, snapshot, write_tree
from wordnet_files import CLASSES, EDGES, WORDS, write_wordnet

from fastinet import Dataset, Loader, convert, errors
from fastinet.cli import cli
from fastinet.dataset.hierarchy import Hierarchy
from fastinet.dataset.selection import find_classes
from fastinet.format.manifest import ClassInfo
from fastinet.imagenet.wordnet import WordNet
from fastinet.transforms import Resize

META = images.SHARED / "imagenet-meta"
needs_meta = pytest.mark.skipif(not META.is_dir(), reason="the real metadata is not here")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = tmp_path_factory.mktemp("classes")
    files = {
        f"{name}/{name}_{i}.JPEG": small_jpeg(10 * k + i)
        for k, name in enumerate(CLASSES)
        for i in range(k + 1)
    }
    write_tree(root / "imagenet" / "train", files)
    write_wordnet(root / "imagenet")
    convert(root / "imagenet" / "train", root / "out")
    return Dataset(root / "out")


def test_a_conversion_finds_the_metadata_beside_its_source(dataset: Dataset) -> None:
    sheepdog = dataset.classes[0]
    assert (sheepdog.wnid, sheepdog.words) == ("n00000020", ("sheepdog", "shepherd dog"))
    assert sheepdog.gloss == "what a sheepdog, shepherd dog is"
    assert dataset.manifest.hierarchy == tuple(e for e in EDGES if e[1] != "n00000099")
    assert dataset.hierarchy.words["n00000010"] == ("dog", "domestic dog")
    assert "n00000099" not in dataset.hierarchy
    np.testing.assert_array_equal(dataset.class_counts, [1, 2, 3, 4, 5])


def test_the_hierarchy_is_a_graph_in_which_a_node_may_have_several_parents(dataset: Dataset) -> None:
    graph = dataset.hierarchy
    assert graph.roots == ("n00000001",)
    assert graph.parents("n00000020") == ("n00000010", "n00000011")
    assert graph.children("n00000010") == ("n00000020", "n00000021")
    assert graph.descendants("n00000002") == {
        "n00000010",
        "n00000011",
        "n00000020",
        "n00000021",
        "n00000022",
        "n00000024",
    }
    assert graph.ancestors("n00000020") == {"n00000010", "n00000011", "n00000002", "n00000001"}
    assert graph.find("Domestic_Dog") == ("n00000010",)
    assert set(graph.find("crane")) == {"n00000022", "n00000023"}


def test_a_hierarchy_that_leads_back_to_itself_is_refused() -> None:
    with pytest.raises(errors.ArgumentError, match="the edges through b form a cycle"):
        Hierarchy([("a", "b"), ("b", "c"), ("c", "b")])


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("n00000010", (0, 1)),
        ("dog", (0, 1)),
        ("DOMESTIC dog", (0, 1)),
        ("n00000011", (0, 4)),
        ("n00000022", (2,)),
        ("=n00000022", (2,)),
        (["pug", 4, "n00000011"], (0, 1, 4)),
        ("entity", (0, 1, 2, 3, 4)),
        (3, (3,)),
    ],
)
def test_classes_are_chosen_by_label_name_word_or_subtree(
    dataset: Dataset, query: str | int | list[str | int], labels: tuple[int, ...]
) -> None:
    chosen = dataset.select(*query) if isinstance(query, list) else dataset.select(query)
    assert chosen.labels == labels
    np.testing.assert_array_equal(chosen.indices, np.flatnonzero(np.isin(dataset.labels, labels)))
    assert [c.name for c in chosen.classes] == [CLASSES[label] for label in labels]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "crane",
            r"'crane' stands for several synsets; give the name of one of them: "
            r"n00000022 \(crane: 1 class\); n00000023 \(crane: 1 class\)",
        ),
        ("unicorn", "no class 'unicorn' among its 5, and no synset with that word$"),
        ("sheep dog", "no class 'sheep dog' among its 5, and no synset with that word; similar: sheepdog$"),
        ("unrelated thing", "no class 'unrelated thing' among its 5"),
        ("=n00000010", "no class 'n00000010' among its 5"),
        (5, "no class 5 among its 5"),
        (1.5, "a class is chosen by its name, a word or its label, not by 1.5"),
    ],
)
def test_a_query_without_one_meaning_is_refused(dataset: Dataset, query: str, message: str) -> None:
    with pytest.raises(errors.ArgumentError, match=message):
        dataset.select(query)


def test_a_class_that_lies_above_others_is_chosen_alone_with_an_equals_sign() -> None:
    classes = [ClassInfo("n1", ("dog",)), ClassInfo("n2", ("pug",))]
    graph = Hierarchy([("n1", "n2")], {c.name: c.words for c in classes})
    assert find_classes("n1", classes, graph) == (0, 1)
    assert find_classes("dog", classes, graph) == (0, 1)
    assert find_classes("=n1", classes, graph) == (0,)


def test_a_loader_gives_only_the_chosen_classes_with_their_own_labels(dataset: Dataset) -> None:
    by_word = Loader(dataset, 16, Resize((8, 8)), shuffle=True, columns=("label",), classes="dog")
    assert sorted(np.concatenate([labels for (labels,) in by_word]).tolist()) == [0, 1, 1]
    selection = dataset.select("n00000011")
    from_selection = Loader(selection, 16, Resize((8, 8)), columns=("label", "index"))
    labels, indices = next(iter(from_selection))
    assert labels.tolist() == [0, 4, 4, 4, 4, 4]
    assert indices.tolist() == selection.indices.tolist()
    assert selection.relabel(labels).tolist() == [0, 1, 1, 1, 1, 1]
    with pytest.raises(errors.ArgumentError, match="give neither indices nor classes"):
        Loader(selection, 16, classes="dog")


def test_the_command_line_lists_and_chooses_classes(dataset: Dataset) -> None:
    run = CliRunner().invoke(cli, ["classes", str(dataset.path), "dog"])
    assert run.exit_code == 0
    assert run.output == "0\tn00000020\t1\tsheepdog, shepherd dog\n1\tn00000021\t2\tpug\n"
    everything = CliRunner().invoke(cli, ["classes", str(dataset.path)])
    assert [line.split("\t")[1] for line in everything.output.splitlines()] == list(CLASSES)
    ambiguous = CliRunner().invoke(cli, ["classes", str(dataset.path), "crane"])
    assert ambiguous.exit_code == 2
    assert "'crane' stands for several synsets" in ambiguous.output


def test_metadata_is_read_from_the_given_folder(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"n00000021/a.JPEG": small_jpeg(1)})
    convert(tmp_path / "src", tmp_path / "out", wordnet=write_wordnet(tmp_path / "elsewhere" / "wordnet"))
    assert Dataset(tmp_path / "out").classes[0].words == ("pug",)
    with pytest.raises(errors.MissingFileError, match=r"no metadata of synsets here \(looked for words.txt"):
        convert(tmp_path / "src", tmp_path / "other", wordnet=tmp_path / "src")


def test_classes_that_are_not_wnids_get_no_words_from_a_file_that_happens_to_be_there(tmp_path: Path) -> None:
    write_tree(tmp_path / "src", {"cats/a.JPEG": small_jpeg(1)})
    (tmp_path / "words.txt").write_text("aardvark\nabacus\n")
    convert(tmp_path / "src", tmp_path / "out")
    assert Dataset(tmp_path / "out").classes == (ClassInfo("cats", count=1),)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("words.txt", b"n1\tdog\nn2 cat\n", r"words.txt: line 2: expected a name, '\\t' and a text"),
        ("words.txt", b"n1\tdo\xffg\n", "words.txt: line 1: expected UTF-8"),
        ("wordnet.is_a.txt", b"n1 n2 n3\n", "is_a.txt: line 1: expected two names, found n2 n3"),
        ("meta.mat", b"not MATLAB", "meta.mat: not the devkit's list of synsets"),
        ("ILSVRC2012_devkit_t12.tar.gz", b"\x1f\x8b", "t12.tar.gz: not a complete tar"),
    ],
)
def test_a_damaged_metadata_file_is_named_with_its_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(errors.FormatError, match=message):
        WordNet.read(tmp_path)


def test_a_manifest_keeps_counts_and_inner_synsets(dataset: Dataset, tmp_path: Path) -> None:
    copied = shutil.copytree(dataset.path, tmp_path / "copy")
    assert Dataset(copied).manifest == dataset.manifest
    assert [s.name for s in dataset.manifest.synsets] == sorted(set(WORDS) - set(CLASSES) - {"n00000099"})


@pytest.fixture(scope="module")
def ilsvrc() -> Callable[[str | int], tuple[int, ...]]:
    found = WordNet.read(META)
    names = sorted(found.ilsvrc2012_ids)
    classes = found.describe([ClassInfo(name) for name in names])
    edges, inner = found.hierarchy_of(names)
    assert (len(classes), len(inner)) == (1000, 860)  # as the devkit's readme says
    assert classes[names.index("n02119789")].ilsvrc2012_id == 1
    graph = Hierarchy(edges, {c.name: c.words for c in (*classes, *inner)})
    return lambda query: find_classes(query, classes, graph)


@needs_meta
def test_the_dogs_of_imagenet_are_the_known_118_labels(
    ilsvrc: Callable[[str | int], tuple[int, ...]],
) -> None:
    assert ilsvrc("n02084071") == ilsvrc("dog") == tuple(range(151, 269))


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The thousand classes with ImageNet's own metadata; three of them have an image."""
    root = tmp_path_factory.mktemp("thousand")
    names = sorted(line.split()[0] for line in (META / "LOC_synset_mapping.txt").read_text().splitlines())
    for name in names:
        (root / "train" / name).mkdir(parents=True)
    write_tree(root / "train", {f"{names[i]}/x.JPEG": small_jpeg(i) for i in (151, 268, 517)})
    report = convert(root / "train", root / "out", wordnet=META)
    assert len(report.splits["train"].notes["classes without images"]) == 997
    return Dataset(root / "out")


@needs_meta
@pytest.mark.parametrize(
    "name", ["n02084071", "n00001740", "n02121808", "n03126707", "n02087122", "n04341686", "n01503061"]
)
def test_descendants_are_those_of_an_independent_walk_over_wordnet(thousand: Dataset, name: str) -> None:
    children: dict[str, set[str]] = {}
    for line in (META / "wordnet.is_a.txt").read_text().splitlines():
        parent, child = line.split()
        children.setdefault(parent, set()).add(child)

    @functools.cache
    def below(node: str) -> frozenset[str]:
        mine = children.get(node, set())
        return frozenset(mine).union(*map(below, mine))

    classes = {c.name for c in thousand.classes}
    told = thousand.hierarchy.descendants(name)
    everything = below(name)
    assert told & classes == everything & classes
    assert told == {node for node in everything if node in classes or below(node) & classes}
    chosen = thousand.select(name)
    assert {c.name for c in chosen.classes} == (everything | {name}) & classes


@needs_meta
def test_a_loader_takes_a_subtree_a_word_or_a_wnid_without_new_files(thousand: Dataset) -> None:
    before = snapshot(thousand.path)
    for classes, labels in (("dog", [151, 268]), ("n02084071", [151, 268]), (["n03126707"], [517])):
        loader = Loader(thousand, 4, Resize((8, 8)), columns=("label",), classes=classes)
        assert np.concatenate([found for (found,) in loader]).tolist() == labels
    with pytest.raises(
        errors.ArgumentError, match=r"'crane' stands for several synsets.*n02012849.*n03126707"
    ):
        Loader(thousand, 4, Resize((8, 8)), classes="crane")
    with pytest.raises(errors.ArgumentError, match=r"no class 'Chihuahuas'.*; similar: Chihuahua"):
        Loader(thousand, 4, Resize((8, 8)), classes=["n02084071", "Chihuahuas"])
    assert snapshot(thousand.path) == before
    run = CliRunner().invoke(
        cli, ["classes", str(thousand.path), "n02012849", "=n03126707", "maillot, tank suit"]
    )
    assert run.exit_code == 2
    run = CliRunner().invoke(cli, ["classes", str(thousand.path), "n02012849", "=n03126707"])
    assert run.output == "134\tn02012849\t0\tcrane\n517\tn03126707\t1\tcrane\n"


@needs_meta
@pytest.mark.parametrize(
    ("word", "first", "second"), [("crane", "n02012849", "n03126707"), ("maillot", "n03710637", "n03710721")]
)
def test_words_that_two_classes_of_imagenet_share_keep_them_apart(
    ilsvrc: Callable[[str | int], tuple[int, ...]], word: str, first: str, second: str
) -> None:
    with pytest.raises(errors.ArgumentError, match=f"{first} .*{second} "):
        ilsvrc(word)
    assert len(ilsvrc(first)) == len(ilsvrc(second)) == 1
    assert ilsvrc(first) != ilsvrc(second)


@needs_meta
def test_the_devkit_alone_gives_words_and_the_trimmed_hierarchy(tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    shutil.copy(META / "ILSVRC2012_devkit_t12.tar.gz", tmp_path)
    found = WordNet.read(tmp_path)
    assert len(found.words) == 1860
    assert found.ilsvrc2012_ids["n02119789"] == 1
    assert found.edges[0] == ("n00001740", "n00001930")
