"""What is drawn where a picture says it faster than numbers."""

from __future__ import annotations

from grader.pictures import Answer, Chart, agreement, picture


@picture
def predicted(got: Answer, want: Answer) -> Chart:
    expected = want.array()
    yours = got.array(shape=expected.shape)
    caption = "Each of your predictions over the expected one; right ones lie on the dotted line."
    return agreement(yours, expected, what="prediction", caption=caption)
