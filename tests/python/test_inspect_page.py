"""The page of an inspection: its text, and what a browser makes of it."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import browser
import numpy as np
import pytest
from folders import small_jpeg, write_tree
from images import shared_files
from PIL import Image
from splits import jpeg_items, write_split
from test_boxes import voc
from test_cli import run
from wordnet_files import EDGES, WORDS

import fastinet
from fastinet import errors

HOSTILE = "</script><img src=x onerror=window.hacked=1>"
WORDNET = {**WORDS, "n00000024": f"mule, {HOSTILE}", "n00000022": f'crane"><b {HOSTILE}'}
ORANGE = np.array([255, 141, 97])  # of the boxes

needs_browser = pytest.mark.skipif(
    browser.find_browser() is None,
    reason=f"none of {', '.join(browser.NAMES)} here: the page is not looked at",
)


def boxed(box: tuple[int, int, int, int]) -> bytes:
    """A dark image of 300 x 200 pixels with a green box."""
    pixels = np.full((200, 300, 3), 30, np.uint8)
    left, top, right, bottom = box
    pixels[top:bottom, left:right] = 0, 160, 0
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits of five classes with a hierarchy; val has boxes, and names and glosses attack the page."""
    root = tmp_path_factory.mktemp("page")
    classes = ("n00000020", "n00000021", "n00000022", "n00000023", "n00000024")
    for c, name in enumerate(classes):
        files = {f"{name}_{i}.JPEG": small_jpeg(10 * c + i) for i in range(3 + c)}
        write_tree(root / "src" / "train" / name, files)
    write_tree(
        root / "src" / "val",
        {
            **{f"{name}/val_{name}.JPEG": small_jpeg(90 + c) for c, name in enumerate(classes[2:])},
            "n00000020/dog.JPEG": boxed((60, 40, 240, 140)),
            "n00000021/<i>pug&.JPEG": boxed((0, 0, 90, 200)),
            "n00000024/bad.JPEG": b"no image at all",
        },
    )
    write_tree(
        root / "boxes",
        {
            "dog.xml": voc([("n00000020", 120, 80, 480, 280)], width=600, height=400),  # of a larger original
            "<i>pug&.xml": voc([("n00000021", 0, 0, 90, 200)], width=300, height=200),
        },
    )
    meta = root / "meta"
    meta.mkdir()
    (meta / "words.txt").write_text("".join(f"{n}\t{w}\n" for n, w in WORDNET.items()))
    (meta / "gloss.txt").write_text("".join(f"{n}\tgloss {HOSTILE}\n" for n in WORDNET))
    (meta / "wordnet.is_a.txt").write_text("".join(f"{a} {b}\n" for a, b in EDGES))
    fastinet.convert(root / "src", root / "dst", boxes=root / "boxes", wordnet=meta, on_bad="keep")
    return root / "dst"


@pytest.fixture(scope="module")
def page(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("html") / "page.html"
    problems = fastinet.inspect(dataset).write_html(file)
    assert [key for key, _ in problems] == ["n00000024/bad"]
    return file


@pytest.fixture(scope="module")
def chromium() -> Iterator[browser.Browser]:
    with browser.launched() as running:
        yield running


@pytest.fixture
def visit(chromium: browser.Browser, page: Path) -> Iterator[browser.Visit]:
    """The page in a browser, which must leave nothing to complain about."""
    with chromium.visit(page) as visit:
        yield visit
        assert visit.complaints == []
        assert visit.requests == []
        assert visit.page.evaluate("window.hacked") is None


def test_the_same_dataset_and_seed_give_the_same_page_and_another_seed_another_one(
    dataset: Path, page: Path, tmp_path: Path
) -> None:
    again, other = page.with_name("again.html"), tmp_path / "other.html"
    fastinet.inspect(dataset).write_html(again)
    fastinet.inspect(dataset, seed=1).write_html(other, images=3)
    assert again.read_text().replace("again.html", "page.html") == page.read_text()
    assert other.read_text().count("<template") == 3


class Tags(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def test_the_page_is_one_file_that_refers_to_nothing_outside(page: Path) -> None:
    tags = Tags(page.read_text()).found
    sources = [a[name] for _, a in tags for name in ("src", "href", "srcset", "data", "action") if name in a]
    assert len(sources) > 30
    assert all(source is not None and source.startswith(("data:", "#")) for source in sources)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    policies = [a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    assert str(policies[0]).startswith("default-src 'none'; img-src data:; ")
    assert not re.search(r"url\((?!data:)|@import", page.read_text())


def test_words_glosses_and_keys_cannot_become_markup(page: Path) -> None:
    text = page.read_text()
    assert "&lt;/script&gt;&lt;img src=x onerror=window.hacked=1&gt;" in text
    assert "\\u003c/script\\u003e\\u003cimg" in text
    assert "<img src=x" not in text
    assert "<i>pug" not in text
    assert text.count("</script>") == 2  # of the classes and of the page's own script


def test_a_record_that_cannot_be_decoded_or_read_is_shown_with_the_reason(
    dataset: Path, page: Path, tmp_path: Path
) -> None:
    assert "Pillow cannot identify the image" in page.read_text()
    copy = tmp_path / "val"
    copy.mkdir()
    for file in (dataset / "val").iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    record = fastinet.Dataset(copy)[0]
    tar = copy / "val-000000.tar"
    damaged = bytearray(tar.read_bytes())
    damaged[damaged.index(bytes(record.payload)) + 700] ^= 1
    tar.write_bytes(damaged)
    problems = dict(fastinet.inspect(copy).write_html(tmp_path / "damaged.html"))
    assert "payload is damaged: expected XXH3" in problems[record.key]
    assert "payload is damaged: expected XXH3" in (tmp_path / "damaged.html").read_text()


def test_the_number_of_samples_is_bounded_and_spread_over_the_classes(dataset: Path, tmp_path: Path) -> None:
    report = fastinet.inspect(dataset)
    for images, expected in ((0, 0), (2, 2), (5, 5), (11, 10), (10**6, 31)):
        report.write_html(tmp_path / "page.html", images=images)
        assert (tmp_path / "page.html").read_text().count("<template") == expected, images
    with pytest.raises(errors.ArgumentError, match="images must be at least 0, not -1"):
        report.write_html(tmp_path / "page.html", images=-1)


def test_a_page_that_cannot_be_written_is_an_error_before_the_work(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for target, reason in ((tmp_path, "Is a directory"), (tmp_path / "no" / "page.html", "No such file")):
        assert run(monkeypatch, "inspect", dataset, "--html", target) == 4
        captured = capsys.readouterr()
        assert captured.err.startswith(f"fastinet: {target}: cannot write the page: {reason}")
        assert captured.out == ""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert run(monkeypatch, "inspect", dataset, "--html", tmp_path / "page.html") == 6
    captured = capsys.readouterr()
    assert captured.err == "fastinet: pages need Jinja2: pip install 'fastinet[html]'\n"
    assert captured.out == ""
    assert not (tmp_path / "page.html").exists()


def test_the_command_writes_the_page_and_names_images_that_it_could_not_show(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "page.html"
    assert run(monkeypatch, "inspect", dataset, "--split", "val", "--html", file, "--images", "4") == 0
    captured = capsys.readouterr()
    assert f"{file}: 0." in captured.out.replace("\n", "")
    assert "fastinet: n00000024/bad: Pillow cannot identify the image" in captured.err


def test_a_dataset_without_hierarchy_words_or_records_has_a_page(tmp_path: Path) -> None:
    from fastinet.format import manifest

    (tmp_path / "empty").mkdir()
    manifest.write(tmp_path / "empty", manifest.Manifest("empty", (), ()))
    fastinet.inspect(tmp_path).write_html(tmp_path / "page.html")
    assert "<dd>0</dd>" in (tmp_path / "page.html").read_text()


@needs_browser
def test_search_finds_classes_by_their_words_best_first_and_choosing_one_shows_it(
    visit: browser.Visit,
) -> None:
    page = visit.page
    page.get_by_role("searchbox").fill("dog")
    page.wait_for_selector("#results button")
    found = page.locator("#results .word").all_inner_texts()
    assert found == ["dog", "sheepdog"]
    assert page.locator("#status").inner_text() == "2 matches"
    assert page.locator("#tree").is_hidden()
    page.locator("#results button").first.click()
    assert page.locator("#detail h3").inner_text() == "dog"
    assert page.locator("#detail .counts").inner_text().split() == [
        "n00000010",
        "2",
        "classes",
        "7",
        "in",
        "train",
        "2",
        "in",
        "val",
    ]
    assert page.url.endswith("#n00000010")
    page.get_by_role("searchbox").fill("")
    page.wait_for_selector("#tree", state="visible")
    page.get_by_role("searchbox").fill("zebra")
    page.get_by_text("0 matches").wait_for()


@needs_browser
def test_a_class_below_two_synsets_shows_both_ways_and_counts_once_in_each(visit: browser.Visit) -> None:
    page = visit.page
    page.evaluate("location.hash = 'n00000020'")
    page.locator("#detail h3").get_by_text("sheepdog").wait_for()
    trails = page.locator("#detail .trails p").all_inner_texts()
    assert trails == ["entity \u203a animal \u203a dog", "entity \u203a animal \u203a working animal"]
    counts = {}
    for line in page.locator("[role=treeitem]").evaluate_all(
        "items => items.map(item => item.getAttribute('aria-label'))"
    ):
        name, number = line.removesuffix(" images").rsplit(", ", 1)
        counts[name] = int(number)
    assert counts["entity"] == 31
    assert counts["dog"] == 3 + 4 + 2
    assert counts["animal"] == counts["dog"] + 5 + 1 + 7 + 2


@needs_browser
def test_the_tree_is_operated_by_keys_alone(visit: browser.Visit) -> None:
    page = visit.page
    first = page.locator("[role=treeitem]").first
    first.focus()
    focused = "document.activeElement.querySelector('.word').textContent"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "animal"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused).startswith("crane")
    page.keyboard.press("Enter")
    assert page.locator("#detail h3").inner_text().startswith("crane")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == "animal"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"
    page.keyboard.press("Home")
    assert page.evaluate(focused) == "entity"


@needs_browser
def test_boxes_are_drawn_where_the_annotation_says_with_the_word_of_their_class(
    visit: browser.Visit, tmp_path: Path
) -> None:
    page = visit.page
    page.get_by_role("tab", name="val").click()
    figure = page.locator(".gallery .picture", has=page.locator("img[alt='sheepdog: n00000020/dog']"))
    assert figure.locator("text").text_content() == "sheepdog"
    figure.scroll_into_view_if_needed()
    image, box = (figure.locator(part).bounding_box() for part in ("img", "rect.box"))
    for side, expected in (("x", 0.2), ("y", 0.2)):
        length = "width" if side == "x" else "height"
        assert (box[side] - image[side]) / image[length] == pytest.approx(expected, abs=0.02)
    assert box["width"] / image["width"] == pytest.approx(0.6, abs=0.02)
    assert box["height"] / image["height"] == pytest.approx(0.5, abs=0.02)
    figure.locator(".frame").screenshot(path=tmp_path / "figure.png")
    with Image.open(tmp_path / "figure.png") as shot:
        pixels = np.asarray(shot.convert("RGB")).astype(int)
    orange = np.abs(pixels - ORANGE).max(axis=2) < 12
    rows, columns = np.flatnonzero(orange.sum(axis=1) > 40), np.flatnonzero(orange.sum(axis=0) > 40)
    height, width = orange.shape
    edges = (columns.min() / width, rows.min() / height, columns.max() / width, rows.max() / height)
    assert edges == pytest.approx((0.2, 0.2, 0.8, 0.7), abs=0.02)
    inside = pixels[int(height * 0.55), int(width * 0.5)]
    assert inside[1] > 120 > max(inside[0], inside[2])  # the green of the object


@needs_browser
def test_classes_without_a_hierarchy_are_a_flat_list_that_grows_on_request(
    chromium: browser.Browser, tmp_path: Path
) -> None:
    write_split(tmp_path / "train", jpeg_items(3, classes=3), classes=450)
    fastinet.inspect(tmp_path).write_html(tmp_path / "page.html")
    with chromium.visit(tmp_path / "page.html") as visit:
        page = visit.page
        rows = page.get_by_role("tree").get_by_role("treeitem")
        assert rows.count() == 200
        page.get_by_role("button", name="250 more").click()
        assert rows.count() == 400
        page.get_by_role("searchbox").fill("WORD 449")
        page.locator("#results button").click()
        assert page.locator("#detail .none").inner_text() == "No images here."
        page.get_by_role("searchbox").fill("")
        page.get_by_role("tree").wait_for()
        assert page.locator("[role=treeitem][aria-selected=true] .word").inner_text() == "word 449"
        assert page.locator("#map").is_hidden()
        assert visit.complaints == visit.requests == []


@needs_browser
def test_one_split_is_shown_at_a_time(visit: browser.Visit) -> None:
    page = visit.page
    assert page.locator("#split-0").is_visible()
    assert page.locator("#split-1").is_hidden()
    page.get_by_role("tab", name="train").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#split-1").is_visible()
    assert page.locator("#split-0").is_hidden()
    assert page.get_by_role("tab", name="val").get_attribute("aria-selected") == "true"


@needs_browser
def test_the_page_fits_every_width_in_light_and_dark(visit: browser.Visit, tmp_path: Path) -> None:
    for width, scheme in ((360, "light"), (820, "dark"), (1440, "light")):
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.page.emulate_media(color_scheme=scheme)
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width
        visit.page.screenshot(path=tmp_path / "page.png")
        with Image.open(tmp_path / "page.png") as shot:
            corner = shot.convert("L").getpixel((1, 1))
        assert isinstance(corner, int)
        assert (corner < 40) if scheme == "dark" else (corner > 220)


@needs_browser
def test_real_validation_images_show_their_boxes(chromium: browser.Browser, tmp_path: Path) -> None:
    files = shared_files("imagenet-val-boxes/*.JPEG")
    if not files:
        pytest.skip("no shared samples here")
    (tmp_path / "src" / "c").mkdir(parents=True)
    for file in files:
        (tmp_path / "src" / "c" / file.name).symlink_to(file)
    fastinet.convert(tmp_path / "src", tmp_path / "dst", boxes=files[0].parent)
    boxes = fastinet.inspect(tmp_path / "dst").splits["train"].boxes
    assert boxes is not None
    fastinet.inspect(tmp_path / "dst").write_html(tmp_path / "page.html")
    with chromium.visit(tmp_path / "page.html") as visit:
        assert visit.page.locator(".gallery .picture").count() == min(12, boxes.images)
        shown = visit.page.locator(".gallery img").evaluate_all(
            "all => all.map(i => i.complete && i.naturalWidth)"
        )
        assert all(side >= 200 for side in shown)
        assert visit.complaints == visit.requests == []
