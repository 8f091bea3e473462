"""What a cell's grading shows: a page in a frame of its own, and the same as text where there are no pages.

The frame neither takes the notebook's style nor changes it, and its sandbox lets nothing in it run.
"""

import html

from grader.core.model import ExerciseResult
from grader.report import Help, Style, exercise_page, exercise_text

_ROW_PX, _LEAST_PX, _MOST_PX = 23, 160, 640  # the height where the notebook lets no script of ours fit it
_DARK = "document.body.dataset.jpThemeLight"  # JupyterLab's own word for it: the frame cannot see the theme
_FIT = (
    "const f=this,d=f.contentDocument;if(!d)return;"
    f"const light={_DARK};if(light)f.style.colorScheme=light==='true'?'light':'dark';"
    "const fit=()=>{f.style.height=Math.ceil(d.documentElement.getBoundingClientRect().height)+'px'};"
    "fit();for(const e of d.querySelectorAll('details'))e.addEventListener('toggle',fit);"
    "addEventListener('resize',fit);"
)


def bundle(result: ExerciseResult, remarks: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the report of a cell in the forms a notebook chooses from. `remarks` stand before it."""
    style = Style(width=80)
    told = [
        *(style.clean_line(remark) for remark in remarks),
        exercise_text(result, style, Help(is_file=False)).rstrip(),
    ]
    text = "\n".join(told)
    said = "".join(f"<p>{html.escape(style.clean_line(remark))}</p>" for remark in remarks)
    return {
        "text/plain": text,
        "text/html": f"{said}{_frame(exercise_page(result), result.id, text.count(chr(10)))}",
    }


def _frame(page: str, name: str, rows: int) -> str:
    """Return a frame that holds a page. It shares our origin, so that it can be measured, and runs no script."""
    height = min(max(_ROW_PX * rows, _LEAST_PX), _MOST_PX)
    return (
        f'<iframe sandbox="allow-same-origin" title="Report on {html.escape(name)}" '
        f'style="width:100%;height:{height}px;border:0;color-scheme:light dark" '
        f'onload="{html.escape(_FIT)}" srcdoc="{html.escape(page)}"></iframe>'
    )
