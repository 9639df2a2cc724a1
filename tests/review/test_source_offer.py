"""Section 13 of the AGPL: whoever uses the program over a network can take the source of what runs."""

from __future__ import annotations

import io
import tarfile
import tomllib
from pathlib import Path

import pytest
from made_county import Served
from packaging.requirements import Requirement
from packaging.version import Version

import detector
from detector.people import Role
from detector.review.pages import LANGUAGE_COOKIE

pytest_plugins = ["review_fixture"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_offers_the_source_also_to_those_who_are_not_signed_in(
    served_once: Served, language: str
) -> None:
    words = {"en": "Source of this program", "zh": "下载本程序源代码"}[language]
    for client, path in ((served_once.nobody(), "/sign-in"), (served_once.signed_in(Role.VIEWER), "/queue")):
        client.cookies.set(LANGUAGE_COOKIE, language)
        page = client.get(path).text
        footer = page[page.index("<footer") : page.index("</footer>")]
        assert 'href="/source"' in footer
        assert words in footer


def test_the_source_is_whole_and_holds_no_weights_and_no_data(served_once: Served) -> None:
    answer = served_once.nobody().get("/source")
    assert answer.status_code == 200
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        names = {member.name.partition("/")[2]: member for member in tar.getmembers()}
        own = tar.extractfile(names["detector/review/routes/source.py"])
        assert own is not None
        folder = Path(detector.__file__).parent
        assert own.read() == (folder / "review" / "routes" / "source.py").read_bytes()
    assert {"LICENSE", "pyproject.toml", "detector/review/templates/base.html"} <= names.keys()
    modules = {f"detector/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*.py")}
    assert modules <= names.keys()
    assert not [name for name in names if name.endswith((".pt", ".db", ".mp4", ".key"))]


def test_packages_whose_weaknesses_were_mended_have_a_lower_bound_that_the_pins_meet(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {one.name: one for one in map(Requirement, project["dependencies"])}
    lines = (checkout / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = {
        line.partition("==")[0].lower(): line.partition("==")[2] for line in lines if not line.startswith("#")
    }
    for name in (
        "argon2-cffi",
        "cryptography",
        "h11",
        "jinja2",
        "pyarrow",
        "python-multipart",
        "pyyaml",
        "starlette",
    ):
        assert any(one.operator == ">=" for one in wanted[name].specifier), name
        assert Version(pins[name]) in wanted[name].specifier, name
