"""The report in the layout of official documents, in the file and as LibreOffice sets it."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections import Counter
from itertools import pairwise

import docx
import pytest
from docx.oxml.ns import qn
from docx.shared import Emu
from pypdf import PdfReader

from evaluation.base.errors import KepuError
from evaluation.base.text import DEPTHS
from evaluation.batch import plan, state
from evaluation.report import depths
from evaluation.report.blocks import Section, Title, stored
from evaluation.report.document import filed, outputs
from evaluation.report.html import write
from test_brief import context, notebook

OFFICE = shutil.which("soffice")


@pytest.fixture(scope="module")
def shown(study):
    return notebook(context(study, "150000", "zh"))


@pytest.fixture(scope="module")
def made(shown) -> bytes:
    return write(shown, "zh", ["official"], depth="report", made=DEPTHS)["official"]


@pytest.fixture(scope="module")
def word(made):
    return docx.Document(io.BytesIO(made))


def test_the_page_is_that_of_the_standard(word):
    page = word.sections[0]
    sides = (page.top_margin, page.bottom_margin, page.left_margin, page.right_margin)
    assert [round(side.mm, 1) for side in sides] == [37, 35, 28, 26]
    wide = Emu(page.page_width - page.left_margin - page.right_margin)
    high = Emu(page.page_height - page.top_margin - page.bottom_margin)
    assert (round(wide.mm), round(high.mm)) == (156, 225)
    normal = word.styles["Normal"]
    pitch = normal.paragraph_format.line_spacing.pt
    assert int(high.pt / pitch) == 22
    drawn = int(normal.element.rPr.find(qn("w:spacing")).get(qn("w:val"))) / 20
    assert int(wide.pt / (normal.font.size.pt + drawn)) == 28
    assert word.settings.odd_and_even_pages_header_footer
    feet = [foot.paragraphs[0] for foot in (page.footer, page.even_page_footer)]
    assert [foot.text for foot in feet] == ["— 1 —"] * 2
    assert [foot.alignment for foot in feet] == [2, 0]  # right on odd pages, left on even ones


@pytest.mark.parametrize(
    ("name", "face", "size"),
    [("Title", "方正小标宋简体", 22), ("Normal", "仿宋_GB2312", 16), ("Heading 1", "黑体", 16),
     ("Heading 2", "楷体_GB2312", 16), ("Attachment", "黑体", 16)],
)  # fmt: skip
def test_faces_and_sizes_are_those_of_the_standard(word, name, face, size):
    style = word.styles[name]
    fonts = style.element.rPr.find(qn("w:rFonts"))
    assert (fonts.get(qn("w:eastAsia")), style.font.size.pt) == (face, size)
    assert not style.font.bold


def test_each_face_has_one_that_stands_in(word):
    parts = word.part.package.iter_parts()
    table = next(part.blob.decode() for part in parts if part.partname == "/word/fontTable.xml")
    for face, other in (("方正小标宋简体", "华文中宋"), ("仿宋_GB2312", "仿宋")):
        assert re.search(rf'w:name="{face}">\s*<w:altName w:val="{other}"', table)


def test_body_and_attachments_stand_in_the_order_of_the_standard(word, shown):
    document, attached = filed(shown, made=DEPTHS)
    names = [section.id for section in document.sections]
    body, attachments = names[:-attached], names[-attached:]
    assert body[0] == "findings" and body[-2:] == ["brief-1", "brief-2"]
    assert all(name.startswith("annex-") for name in attachments) and attached > 8
    heads = [p.text for p in word.paragraphs if p.style.name == "Attachment"]
    assert heads == [f"附件{place}" for place in range(1, attached + 1)]
    texts = [p.text.strip() for p in word.paragraphs]
    listed = next(place for place, text in enumerate(texts) if text.startswith("附件：1．"))
    dated = next(
        place for place, text in enumerate(texts) if re.fullmatch(r"\d{4}年\d+月\d+日", text)
    )
    assert listed < dated < texts.index("附件1")
    assert sum(p.style.name == "Title" for p in word.paragraphs) == 1 + attached


def test_every_block_of_report_and_annex_is_filed_once(shown):
    document, _ = filed(shown, made=DEPTHS)
    given = Counter(block for section in document.sections for block in section.blocks)
    parts = [stored(each["data"]) for each in outputs(shown)]
    for depth in ("report", "annex"):
        arranged = depths.arranged([p for p in parts if p], depth, "zh", DEPTHS)
        blocks = [b for of in arranged for p in of if isinstance(p, Section) for b in p.blocks]
        assert not Counter(blocks) - given


def test_headings_count_by_themselves_and_lists_begin_anew(word):
    counted = {}
    for paragraph in word.paragraphs:
        numbered = paragraph._p.pPr.numPr if paragraph._p.pPr is not None else None
        if paragraph.style.name == "Numbered":
            counted.setdefault(numbered.numId.val, []).append(paragraph.text)
    assert len(counted) > 5 and min(map(len, counted.values())) >= 1
    levels = word.part.numbering_part.element.findall(qn("w:abstractNum"))[0]
    texts = [text.get(qn("w:val")) for text in levels.iter(qn("w:lvlText"))]
    assert texts == ["%1、", "（%2）", "%3．", "（%4）"]


def test_an_office_may_go_on_to_the_fourth_level(made):
    """A level that no block uses is there as a style: its number comes with it."""
    file = docx.Document(io.BytesIO(made))
    added = file.add_paragraph("各盟市同步开展。", style="Numbered 2")
    numbered = added.style.element.pPr.numPr
    assert (numbered.ilvl.val, numbered.numId.val) == (3, 90)


@pytest.mark.skipif(OFFICE is None, reason="no LibreOffice: apt-get install libreoffice-writer")
def test_libreoffice_sets_22_lines_of_28_characters(made, tmp_path):
    (tmp_path / "o.docx").write_bytes(made)
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    call = [OFFICE, profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path)]
    subprocess.run([*call, str(tmp_path / "o.docx")], check=True, capture_output=True)
    pages = PdfReader(tmp_path / "o.pdf").pages
    lines = [line for page in pages for line in page.extract_text().split("\n")]
    han = re.compile(r"[\u3400-\u9fff，。；、：？]{26,34}")
    full = Counter(len(line.strip()) for line in lines if han.fullmatch(line.strip()))
    assert full.most_common(1)[0][0] == 28 and full[28] > 9 and 2 * full[28] > full.total()
    assert "一、" in "".join(lines) and "（一）" in "".join(lines)
    steps: Counter[float] = Counter()
    for page in pages[:12]:
        baselines = []
        page.extract_text(visitor_text=lambda text, cm, tm, *_, at=baselines: at.append(
            round((cm[5] + tm[5] * cm[3]), 1)) if text.strip() else None)  # fmt: skip
        steps.update(round(a - b, 1) for a, b in pairwise(baselines) if a > b)
    assert steps.most_common(1)[0][0] == pytest.approx(28.95, abs=0.15)


def test_it_is_asked_for_once_and_in_chinese_alone(shown):
    with pytest.raises(KepuError, match="layout of a Chinese report — choose docx"):
        write(shown, "en", ["official"])
    own = {"names": {"zh": "甲", "en": "A"}, "language": "zh", "region": "1", "level": "city"}
    job = plan.Job("a", "a", stem="a", formats=("pdf", "official"), depths=DEPTHS, **own)
    assert [kind for kind in state.asked(job) if "official" in kind] == ["official"]
    assert state.expected(job)["official"] == "a_official.docx"


def test_without_a_brief_or_an_annex_it_is_the_body_alone(shown):
    parts = [stored(each["data"]) for each in outputs(shown)]
    known = [part for part in parts if part]
    _, body, attachments = depths.official(known, "zh", ("report",))
    assert attachments == [] and "附件1" not in "".join(str(part.html()) for part in body)
    bare = [p for p in known if isinstance(p, Title) or p.id != "brief"]
    title, body, _ = depths.official(bare, "zh")
    assert (title, len(body)) == (known[0], len(bare) - 1)
