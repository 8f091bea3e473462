"""Hand-ins as learning systems give them: whose each is, when it was handed in, and what is graded of it."""

import pytest
from hand_in_generator import ODDITIES, STUB, SYSTEMS, write_class

from grader.classroom.reading import Preview, preview
from grader.submission import collection

FORMS = ("folder", "zip")


def previews(course, path, **options) -> list[Preview]:
    found = collection.collect(path, **options)
    assert not found.left
    return [preview(one, course.exercises, ()) for one in found.hand_ins]


def ending(one: Preview) -> str:
    """Return what was made of a hand-in, by the words of the generator."""
    if one.refused:
        return "refused"
    if any("none was graded" in remark for remark in one.remarks):
        return "doubt"
    return "stub" if is_stub(one) else "work"


def is_stub(one: Preview) -> bool:
    submission = one.hand_in.open()
    return submission.snapshot("scaling", STUB).sources["scaling.py"] == STUB


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_class_gives_exactly_the_table_of_its_generator(course, tmp_path, system, form):
    path, table = write_class(tmp_path, system, form)
    found = {one.hand_in.student: one for one in previews(course, path, layout=SYSTEMS[system][2])}
    assert set(found) == {made.student for made in table}
    for made in table:
        one = found[made.student]
        said = "\n".join([one.refused, *one.remarks])
        assert (made.oddity, ending(one)) == (made.oddity, made.expected.ending), said
        assert made.expected.words in said, (made.oddity, said)
        if made.expected.ending != "refused":
            assert (made.oddity, one.moment.at) == (made.oddity, made.at)
    assert len(table) >= len(ODDITIES) // 2
