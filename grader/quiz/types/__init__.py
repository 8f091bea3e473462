"""The types of items, one file each. To add a type: its file, its import and its line in `ITEM_TYPES`."""

from grader.quiz.types.base import Item
from grader.quiz.types.cloze import ClozeItem
from grader.quiz.types.code_output import CodeOutputItem
from grader.quiz.types.grid import GridItem
from grader.quiz.types.match import MatchItem
from grader.quiz.types.multi import MultiItem
from grader.quiz.types.numeric import NumericItem
from grader.quiz.types.order import OrderItem
from grader.quiz.types.shape import ShapeItem
from grader.quiz.types.single import SingleItem
from grader.quiz.types.text import TextItem
from grader.quiz.types.true_false import TrueFalseItem

# In the order of docs/quizzes.md, which is that of the schema too.
ITEM_TYPES: tuple[type[Item], ...] = (
    SingleItem,
    MultiItem,
    TrueFalseItem,
    NumericItem,
    ShapeItem,
    TextItem,
    MatchItem,
    OrderItem,
    ClozeItem,
    CodeOutputItem,
    GridItem,
)

__all__ = [
    "ITEM_TYPES",
    "ClozeItem",
    "CodeOutputItem",
    "GridItem",
    "Item",
    "MatchItem",
    "MultiItem",
    "NumericItem",
    "OrderItem",
    "ShapeItem",
    "SingleItem",
    "TextItem",
    "TrueFalseItem",
]
