"""What stands around the text of a Word report: properties, running head and foot, contents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from docx.oxml.ns import qn

from evaluation.formats.document import TAGS, Document, ExportError
from evaluation.formats.inline import nodes, plain
from evaluation.formats.word_xml import Ink, element, paragraph
from evaluation.text import t


class Styles(dict):
    """Styles of the reference by name; a missing one is named."""

    def __missing__(self, name: str) -> str:
        raise ExportError(
            f"the reference document has no style '{name}' — keep the styles of reference.docx"
        )


def properties(file, source: Document) -> None:
    """Title, language and date of the file; no name of a person or a machine."""
    known = file.core_properties
    known.title, known.language = source.name, TAGS[source.language]
    known.created = known.modified = source.moment.replace(tzinfo=None)
    known.author = known.last_modified_by = known.comments = ""
    known.keywords = str(t("page.keywords", source.language))
    for tag in file.styles.element.find(qn("w:docDefaults")).iter(qn("w:lang")):
        tag.set(qn("w:val"), TAGS["en"])
        tag.set(qn("w:eastAsia"), TAGS["zh"])


def margins(file, source: Document, ink: Ink) -> None:
    """Running head with the title, foot with date and page number."""
    section = file.sections[0]
    dated = t("page.dated", source.language, date=f"{source.moment:%Y-%m-%d}")
    head, foot = section.header.paragraphs[0], section.footer.paragraphs[0]
    head._p.append(ink.run(source.name))
    foot._p.append(ink.run(f"{dated}\u2003"))
    ink.field(foot._p, "PAGE", "1")
    foot._p.append(ink.run(" / "))
    ink.field(foot._p, "NUMPAGES", "1")


def contents(
    source: Document, ink: Ink, anchors: Mapping[str, str], styles: Mapping[str, str]
) -> Iterator:
    """Contents as a field: an office renews it with F9, and it is readable before."""
    head = paragraph(styles["TOC Heading"])
    head.append(ink.run(str(t("page.contents", source.language))))
    yield head
    last = len(source.sections) - 1
    for number, section in enumerate(source.sections):
        made = paragraph(styles["TOC 1"])
        if number == 0:
            ink.begin(made, 'TOC \\o "1-2" \\h \\z \\u')
        link = element("hyperlink", anchor=anchors[section.id])
        link.append(ink.run(plain(nodes(section.title))))
        made.append(link)
        if number == last:
            ink.end(made)
        yield made
