"""The output of a graded cell: the report as a page in a frame, and as text where HTML is not shown.

The frame neither takes the notebook's style nor changes it, and its sandbox allows no script.
"""

import html

from grader.core.model import ExerciseResult
from grader.report import Help, Style, exercise_page, exercise_text

WIDTH = 80  # of text, in columns
_ROW_PX, _LEAST_PX, _MOST_PX = 23, 160, 640  # the height of the frame where `_FIT` is not allowed to run
# Every notebook program marks its theme in another way. What they share is the color of text, light on a dark ground:
# a canvas gives any notation of a color as numbers, and another theme is a transition of that color.
# A frame that is not shown has no height.
_FIT = """
const f = this, root = f.contentDocument?.documentElement;
if (!root) return;
const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
const fit = () => {
  pixel.fillStyle = getComputedStyle(f).color;
  pixel.fillRect(0, 0, 1, 1);
  const [red, green, blue] = pixel.getImageData(0, 0, 1, 1).data;
  f.style.colorScheme = root.style.colorScheme = red + green + blue > 384 ? 'dark' : 'light';
  const height = Math.ceil(root.getBoundingClientRect().height);
  if (height) f.style.height = `${height}px`;
};
fit();
f.addEventListener('transitionend', fit);
new ResizeObserver(fit).observe(root);
"""


def bundle(result: ExerciseResult, hints: Help, remarks: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the report of a cell by MIME type, for the notebook to choose from, with `remarks` before it."""
    style = Style(width=WIDTH)
    parts = [
        *(style.clean_line(remark) for remark in remarks),
        exercise_text(result, style, hints).rstrip(),
    ]
    text = "\n".join(parts)
    notes = "".join(f"<p>{html.escape(style.clean_line(remark))}</p>" for remark in remarks)
    return {
        "text/plain": text,
        "text/html": f"{notes}{_frame(exercise_page(result, hints), result.id, text.count(chr(10)))}",
    }


def _frame(page: str, name: str, rows: int) -> str:
    """Return a frame with a page. It has the origin of the notebook, so that `_FIT` can measure it, and no script."""
    height = min(max(_ROW_PX * rows, _LEAST_PX), _MOST_PX)
    return (
        f'<iframe sandbox="allow-same-origin" title="Report on {html.escape(name)}" '
        f'style="width:100%;height:{height}px;border:0;color-scheme:light dark;transition:color 1ms" '
        f'onload="{html.escape(_FIT)}" srcdoc="{html.escape(page)}"></iframe>'
    )
