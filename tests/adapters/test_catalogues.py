"""Languages are offered when their catalogue is complete, and read it when they are used."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from webapp.adapters.catalogue_compiler import compile_all
from webapp.adapters.catalogues import compiled, known, offered
from webapp.domain.language import ENGLISH, gettext, ngettext, npgettext, pgettext, speaking


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Arabic lacks a form of a plural, Hebrew has a fuzzy sentence, Japanese lacks a sentence; others are complete."""
    (tmp_path / "languages.tsv").write_text(
        "locale\tautonym\tdirection\nen\tEnglish\tltr\nde\tDeutsch\tltr\nar\tالعربية\trtl\nhe\tעברית\trtl\n"
        "ja\t日本語\tltr\nzh_Hans\t简体中文\tltr\n"
    )
    template = Catalog()
    for id, context in (("Save", None), (("%(num)s day", "%(num)s days"), None), ("On", "method"), (("a", "b"), "c")):
        template.add(id, context=context)
    write(tmp_path / "messages.pot", template)
    for locale, plurals in (("de", 2), ("zh_Hans", 1), ("ar", 6), ("he", 2), ("ja", 1)):
        catalog = Catalog(locale=locale, fuzzy=False)
        if locale != "ja":
            catalog.add("Save", f"save-{locale}", flags=["fuzzy"] if locale == "he" else [])
        days = [f"%(num)s {locale}-{n}" for n in range(plurals)]
        catalog.add(("%(num)s day", "%(num)s days"), tuple(["", *days[1:]] if locale == "ar" else days))
        catalog.add("On", f"on-{locale}", context="method")
        catalog.add(("a", "b"), tuple(f"c-{n}" for n in range(plurals)), context="c")
        catalog.add("No longer used", "alt")
        compiled(locale, tmp_path).parent.mkdir(parents=True)
        write(compiled(locale, tmp_path).with_suffix(".po"), catalog)
    return tmp_path


def write(path: Path, catalog: Catalog) -> None:
    with path.open("wb") as file:
        write_po(file, catalog)


def test_only_complete_catalogues_are_compiled_and_offered(folder: Path) -> None:
    assert list(offered(folder)) == ["en"]
    assert list(compile_all(folder)) == ["de", "zh_Hans"]
    assert list(offered(folder)) == ["en", "de", "zh-Hans"]
    assert offered(folder)["en"] is ENGLISH
    assert [language.direction for _, language in known(folder)] == ["ltr", "ltr", "rtl", "rtl", "ltr", "ltr"]
    assert list(folder.rglob("*.new")) == []


def test_a_language_is_no_longer_offered_when_a_sentence_is_added(folder: Path) -> None:
    list(compile_all(folder))
    template = Catalog()
    template.add("New")
    write(folder / "messages.pot", template)
    assert list(compile_all(folder)) == []
    assert list(offered(folder)) == ["en"]


def test_a_language_translates_by_its_catalogue_which_is_read_once(folder: Path) -> None:
    list(compile_all(folder))
    german = offered(folder)["de"]
    with speaking(german):
        assert npgettext("c", "a", "b", 1) == "c-0"
        compiled("de", folder).unlink()
        assert gettext("Save") == "save-de"
        assert gettext("No longer used") == "No longer used"
        assert pgettext("method", "On") == "on-de"
        assert pgettext("two-factor authentication", "On") == "On"
        assert [ngettext("%(num)s day", "%(num)s days", n) for n in (1, 2)] == ["1 de-0", "2 de-1"]
    assert gettext("Save") == "Save"


@pytest.mark.parametrize("call", [lambda: gettext("Save"), lambda: pgettext("method", "On")])
def test_each_function_reads_the_catalogue(folder: Path, call: object) -> None:
    list(compile_all(folder))
    with speaking(offered(folder)["zh-Hans"]):
        assert call() in ("save-zh_Hans", "on-zh_Hans")  # type: ignore[operator]
        assert ngettext("%(num)s day", "%(num)s days", 1) == "1 zh_Hans-0"
