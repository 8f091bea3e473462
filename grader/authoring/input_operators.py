"""Operators that ignore a part of the input: large numbers, one value, one mode, or one kind of tensor.

The other operators change what a reference does to nearly every input, so one well chosen input kills the mutant. A
submission more often treats most inputs right: `stride` works up to 3, `eps` counts in training only, float64 comes
back as float32. Such a mutant survives until the suite sends the rest.

What a parameter may be is read from its annotation: `int`, `float`, `bool`, `torch.Tensor` or a sequence, each possibly
`| None`. Nothing is known of the values of other parameters, so they have no mutants here.
"""

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from grader.authoring.mutation_operators import Change, Operator

CAPS = (3, 1)
FAR = 100  # a tensor beyond it is far from zero
STAND_INS = (1000.0, 1e9)  # finite numbers that are written for infinity

Function = ast.FunctionDef | ast.AsyncFunctionDef

_SEQUENCES = {"list", "tuple", "Sequence", "Iterable", "Collection"}
# What gives each element of the result from the same element of the input, whatever the shape.
_ELEMENTWISE = """
    abs absolute add clamp clamp_max clamp_min clip div erf erfc exp expm1 float log log1p maximum minimum mul neg
    ones_like pow relu sigmoid sign sqrt square sub tanh where zeros_like
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of a function: its kinds are the parts of its annotation, such as `int` and `None`."""

    node: ast.arg
    kinds: frozenset[str]
    items: frozenset[str] = frozenset()  # of a sequence
    default: ast.expr | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.node.arg

    @property
    def optional(self) -> bool:
        """Tell whether None may be given for it."""
        return "None" in self.kinds

    def is_a(self, kind: str) -> bool:
        """Tell whether it is annotated as this kind, possibly among others."""
        return kind in self.kinds

    def where_given(self, statement: str) -> str:
        """Return a statement on it that lets None pass."""
        return f"if {self.name} is not None: {statement}" if self.optional else statement

    @property
    def default_text(self) -> str:
        """Its default as code; "" without one."""
        return "" if self.default is None else ast.unparse(self.default)

    @property
    def is_changed(self) -> str:
        """A condition that holds where it is not its default."""
        match self.default:
            case ast.Constant(value=None):
                return f"{self.name} is not None"
            case ast.Constant(value=True):
                return f"not {self.name}"
            case ast.Constant(value=False):
                return self.name
        return f"{self.name} != {self.default_text}"


def changes(function: Function, parent: ast.AST) -> Iterator[Change]:
    """Yield the changes of one function of a module, or method of a class, held by `parent`."""
    if isinstance(parent, ast.ClassDef) and function.name != "__init__":
        yield from _modes(function, parent)
        yield from _rebound(function, parent)
    if function.name.startswith("_") and function.name != "__init__":
        return
    parameters = parameters_of(function)
    for parameter in parameters:
        for operator, statement in _beginnings(parameter):
            yield operator, parameter.node, begun(function, statement)
    for one, other in permutations([p for p in parameters if p.default], 2):
        statement = f"if {other.is_changed}: {one.name} = {one.default_text}"
        yield Operator.IGNORED, one.node, begun(function, statement)
    yield from _passed_on(function, parameters)
    yield from _loops(function, parameters)
    if returns_tensor(function):
        tensors = [p for p in parameters if p.is_a("Tensor")]
        yield from _tensor_changes(function, tensors)
        if not isinstance(parent, ast.ClassDef):  # a module computes in the dtype of its parameters
            yield from _dtype_changes(function, tensors)


def expressions(node: ast.AST) -> Iterator[Change]:
    """Yield expressions that are right for usual numbers: a finite one for infinity, a variance that cancels."""
    yield from _infinities(node)
    match node:
        case ast.Call(func=ast.Attribute(value=value, attr="var"), args=args, keywords=keywords):
            biased = [k for k in keywords if ast.unparse(k) in ("correction=0", "unbiased=False")]
            if not biased:
                return
            rest = ast.unparse(_call("_", args, [k for k in keywords if k not in biased]))[1:]
            text = f"({ast.unparse(value)}).square().mean{rest} - ({ast.unparse(value)}).mean{rest}.square()"
            yield Operator.CANCELLATION, node, ast.parse(text, mode="eval").body


def _call(name: str, args: list[ast.expr], keywords: list[ast.keyword]) -> ast.Call:
    return ast.Call(func=ast.Name(name), args=args, keywords=keywords)


def _infinities(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str(text))]) if text.strip(
            "+-"
        ).lower() in ("inf", "infinity"):
            sign = -1.0 if text.startswith("-") else 1.0
        case ast.Attribute(attr="inf"):
            sign = 1.0
        case _:
            return
    for number in STAND_INS:
        yield Operator.INFINITY, node, ast.parse(repr(sign * number), mode="eval").body


def parameters_of(function: Function) -> list[Parameter]:
    """Return the parameters of a function that have an annotation, in their order."""
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [*([None] * (len(positional) - len(given.defaults))), *given.defaults]
    pairs = [*zip(positional, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return [_parameter(node, default) for node, default in pairs if node.annotation is not None]


def _parameter(node: ast.arg, default: ast.expr | None) -> Parameter:
    assert node.annotation is not None
    kinds, items = set[str](), set[str]()
    for part in _alternatives(node.annotation):
        match part:
            case ast.Subscript(value=ast.Name(id=name), slice=inner) if name in _SEQUENCES:
                kinds.add("sequence")
                items.add(ast.unparse(inner))
            case _:
                kinds.add(ast.unparse(part).removeprefix("torch."))
    return Parameter(node=node, kinds=frozenset(kinds), items=frozenset(items), default=default)


def _alternatives(annotation: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of `int | None`, also as `Optional[int]` or as a text."""
    match annotation:
        case ast.Constant(value=str(text)):
            yield from _alternatives(ast.parse(text, mode="eval").body)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            yield from _alternatives(left)
            yield from _alternatives(right)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            yield from _alternatives(inner)
            yield ast.Constant(None)
        case _:
            yield annotation


# --- at the beginning of a function


def _beginnings(parameter: Parameter) -> Iterator[tuple[Operator, str]]:
    """Yield statements that lose a part of one parameter's values, to be put at the beginning of its function."""
    name, default = parameter.name, parameter.default
    if default is not None:
        yield Operator.IGNORED, f"{name} = {parameter.default_text}"
    if parameter.is_a("int"):
        for cap in CAPS:
            yield Operator.CAP, parameter.where_given(f"{name} = min({name}, {cap})")
        if not (isinstance(default, ast.Constant) and default.value == 1):
            yield Operator.SIZE, f"if {name} == 1: {name} = 2"
    if _loses_zero(parameter):
        yield Operator.FALSY, f"{name} = {name} or {parameter.default_text}"
    if parameter.is_a("bool") and default is None:
        for value in (True, False):
            yield Operator.IGNORED, f"{name} = {value}"
    if parameter.is_a("sequence"):
        few = 2 if parameter.items <= {"int", "int, ..."} else 3
        yield Operator.CAP, parameter.where_given(f"{name} = {name}[:{few}]")
        yield Operator.CAP, parameter.where_given(f"{name} = {name}[-1:]")


def _loses_zero(parameter: Parameter) -> bool:
    """Tell whether `x or default` loses a 0 that means something: of an int with the default 1, 0 means nothing."""
    match parameter.default:
        case ast.Constant(value=bool()):
            return False
        case ast.Constant(value=int() | float() as value):
            return value > 1 if parameter.is_a("int") else parameter.is_a("float") and value != 0
    return False


def _passed_on(function: Function, parameters: Sequence[Parameter]) -> Iterator[Change]:
    """Yield the default instead of a parameter in one of several places where it is passed on."""
    named = {p.name: p for p in parameters if p.default is not None}
    reads = [node.id for node in ast.walk(function) if isinstance(node, ast.Name)]
    for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            if isinstance(argument, ast.Name) and argument.id in named and reads.count(argument.id) > 1:
                default = named[argument.id].default
                assert default is not None
                yield Operator.IGNORED, argument, _with_nodes(function, {argument: default})


# --- in loops


def _loops(function: Function, parameters: Sequence[Parameter]) -> Iterator[Change]:
    """Yield changes of the items of a sequence, and of the whole numbers that add up in a loop."""
    sequences = {p.name for p in parameters if p.is_a("sequence")}
    counted = _whole_numbers(function)
    for loop in (node for node in ast.walk(function) if isinstance(node, ast.For)):
        if isinstance(loop.iter, ast.Name) and loop.iter.id in sequences:
            items = next(p.items for p in parameters if p.name == loop.iter.id)
            for item in _int_targets(loop.target, items):
                texts = [f"{item.id} = min({item.id}, {cap})" for cap in CAPS]
                for text in texts:
                    yield Operator.CAP, item, _with_statement(function, loop, text)
                yield Operator.SIZE, item, _with_statement(function, loop, f"if {item.id} == 1: continue")
        for statement in loop.body:
            match statement:
                case ast.AugAssign(target=ast.Name(id=name), op=ast.Add() | ast.Mult()) if name in counted:
                    after = f"{name} = min({name}, {CAPS[0]})"
                    yield Operator.CAP, statement, _with_statement(function, loop, after, behind=statement)


def _int_targets(target: ast.expr, items: frozenset[str]) -> Iterator[ast.Name]:
    """Yield the names of a loop that are whole numbers by the annotation of what it goes through."""
    for text in items:
        match target, text:
            case ast.Name(), "int" | "int, ...":
                yield target
            case ast.Tuple(elts=names), _ if text == f"tuple[{', '.join(['int'] * len(names))}]":
                yield from (name for name in names if isinstance(name, ast.Name))


def _whole_numbers(function: Function) -> set[str]:
    """Return the local names that begin as a whole number."""
    found = set()
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                pairs = list(zip(names, values, strict=False))
            case ast.Assign(targets=[name], value=value):
                pairs = [(name, value)]
            case _:
                continue
        for one, begin in pairs:
            if isinstance(one, ast.Name) and isinstance(begin, ast.Constant) and type(begin.value) is int:
                found.add(one.id)
    return found


# --- tensors


def returns_tensor(function: Function) -> bool:
    """Tell whether a function is annotated to return one tensor."""
    returns = function.returns
    return returns is not None and ast.unparse(returns).removeprefix("torch.") == "Tensor"


def _tensor_changes(function: Function, tensors: Sequence[Parameter]) -> Iterator[Change]:
    """Yield changes that lose a special value or a shape of tensors, or what is far from zero."""
    if not tensors:
        return
    place = tensors[0].node
    needed = [p.name for p in tensors if not p.optional]
    if needed:
        yield (
            Operator.CAP,
            place,
            begun(function, *(f"{name} = {name}.clamp(-{FAR}, {FAR})" for name in needed)),
        )
        in_one_piece = f"{needed[0]} = {needed[0]}.view(-1).view({needed[0]}.shape)"
        yield Operator.LAYOUT, place, begun(function, in_one_piece)
    without_nan = "({}).nan_to_num(0.0, float('inf'), float('-inf'))"
    yield Operator.NAN, place, _with_results(function, without_nan)
    for axis in (0, -1):
        yield Operator.SIZE, place, _with_results(function, f"({{}}).squeeze({axis})")
    if is_elementwise(function):
        yield Operator.SIZE, place, _with_results(function, "torch.atleast_1d({})")


def _dtype_changes(function: Function, tensors: Sequence[Parameter]) -> Iterator[Change]:
    """Yield changes that compute in float32, return float32, or return float32 for float16 and bfloat16."""
    if not tensors:
        return
    place, first = tensors[0].node, tensors[0].name
    rounded = [p.where_given(f"{p.name} = {p.name}.float().to({p.name}.dtype)") for p in tensors]
    yield Operator.DTYPE, place, begun(function, *rounded)
    for form in ("({}).float()", f"({{}}).to(torch.promote_types({first}.dtype, torch.float32))"):
        yield Operator.DTYPE, place, _with_results(function, form)


def is_elementwise(function: Function) -> bool:
    """Tell whether every call keeps the shape: then a 0-dim tensor is an input like any other."""
    if any(isinstance(node, ast.Subscript) for statement in function.body for node in ast.walk(statement)):
        return False
    calls = [
        node for statement in function.body for node in ast.walk(statement) if isinstance(node, ast.Call)
    ]
    names = [call.func.attr if isinstance(call.func, ast.Attribute) else "" for call in calls]
    keywords = {keyword.arg for call in calls for keyword in call.keywords}
    return set(names) <= set(_ELEMENTWISE.split()) and not keywords & {"dim", "axis"}


# --- modes of a module


def _modes(method: Function, owner: ast.ClassDef) -> Iterator[Change]:
    """Yield the initial value of an attribute, or the default of a parameter, in one mode only."""
    for parameter in parameters_of(method) if method.name == "forward" else ():
        if parameter.default is not None:
            for mode in ("self.training", "not self.training"):
                statement = f"if {mode}: {parameter.name} = {parameter.default_text}"
                yield Operator.MODE, parameter.node, begun(method, statement)
    for name, initial in _initial_values(owner).items():
        reads = [node for node in _reads(method) if node.attr == name]
        if not reads:
            continue
        for form in ("{initial} if self.training else {read}", "{read} if self.training else {initial}"):
            text = form.format(initial=initial, read=f"self.{name}")
            changed = ast.parse(f"({text})", mode="eval").body
            yield Operator.MODE, reads[0], _with_nodes(method, dict.fromkeys(reads, changed))


def _reads(method: Function) -> list[ast.Attribute]:
    """Return where attributes of self are read; not where one is compared with None, or called."""
    compared = {node.left for node in ast.walk(method) if isinstance(node, ast.Compare)}
    owners = {node.value for node in ast.walk(method) if isinstance(node, ast.Attribute)}
    called = {node.func for node in ast.walk(method) if isinstance(node, ast.Call)}
    return [
        node
        for node in ast.walk(method)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and isinstance(node.ctx, ast.Load)
        and node not in compared | owners | called
    ]


def _initial_values(owner: ast.ClassDef) -> dict[str, str]:
    """Return what attributes begin as, as code: the default of a constructor argument, or a parameter's first value."""
    found: dict[str, str] = {}
    for method in owner.body:
        if not isinstance(method, ast.FunctionDef) or method.name != "__init__":
            continue
        defaults = {p.name: p.default_text for p in parameters_of(method) if p.default is not None}
        for statement in method.body:
            match statement:
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)], value=value):
                    text = _initial_value(value, f"self.{name}", defaults)
                    if text:
                        found[name] = text
    return found


def _initial_value(value: ast.expr, attribute: str, defaults: dict[str, str]) -> str:
    match value:
        case ast.Name(id=name):
            return defaults.get(name, "")
        case ast.IfExp(body=body):
            return _initial_value(body, attribute, defaults)
        case ast.Call(
            func=ast.Attribute(attr="Parameter"), args=[ast.Call(func=ast.Attribute(attr=made)) as begin]
        ):
            if made in ("ones", "zeros"):
                return f"torch.{made}_like({attribute})"
            if made == "tensor" and begin.args and isinstance(begin.args[0], ast.Constant):
                return f"torch.full_like({attribute}, {ast.unparse(begin.args[0])})"
    return ""


def _rebound(method: Function, owner: ast.ClassDef) -> Iterator[Change]:
    """Yield a new tensor for a buffer that is written into: what holds the old one sees nothing of it."""
    buffers = _buffers(owner)
    for node in ast.walk(method):
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=target, attr="copy_"), args=[value])):
                pass
            case ast.AugAssign(target=target, op=op, value=value):
                value = ast.BinOp(left=target, op=op, right=value)
            case _:
                continue
        if ast.unparse(target) in buffers:
            text = f"{ast.unparse(target)} = {ast.unparse(value)}"
            yield Operator.REBOUND, node, _with_nodes(method, {node: _parsed(text)[0]})


def _buffers(owner: ast.ClassDef) -> set[str]:
    found = set()
    for node in ast.walk(owner):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="register_buffer"), args=[ast.Constant(value=str(name)), *_]
            ):
                found.add(f"self.{name}")
    return found


# --- changed copies of a function


def begun(function: Function, *statements: str) -> Function:
    """Return a copy of a function that begins with other statements, behind its docstring."""
    changed = copy.copy(function)
    start = 1 if ast.get_docstring(function, clean=False) is not None else 0
    changed.body = [*function.body[:start], *_parsed(*statements), *function.body[start:]]
    return changed


def _parsed(*statements: str) -> list[ast.stmt]:
    return ast.parse("\n".join(statements)).body


def _with_statement(function: Function, loop: ast.For, text: str, behind: ast.stmt | None = None) -> Function:
    """Return a copy of a function with a statement in one of its loops: at its beginning, or behind another one."""
    copies = _Copies(function)
    body = copies.of(loop).body  # type: ignore[attr-defined]
    at = 0 if behind is None else body.index(copies.of(behind)) + 1
    body[at:at] = _parsed(text)
    return copies.function


def _with_nodes(function: Function, replaced: Mapping[ast.AST, ast.AST]) -> Function:
    """Return a copy of a function with other expressions or statements in place of some."""
    copies = _Copies(function)
    by_copy = {id(copies.of(old)): new for old, new in replaced.items()}

    class _Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return by_copy[id(node)] if id(node) in by_copy else self.generic_visit(node)

    _Replace().visit(copies.function)
    return copies.function


def _with_results(function: Function, form: str) -> Function:
    """Return a copy of a function whose results are changed; `form` is an expression with a place for the result."""
    before, after = form.split("{}")

    changed = copy.deepcopy(function)
    for node in _own_nodes(changed):
        if isinstance(node, ast.Return) and node.value is not None:
            node.value = ast.parse(f"{before}{ast.unparse(node.value)}{after}", mode="eval").body
    return changed


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below another one, but for those of inner functions, which have results of their own."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            yield child
            yield from _own_nodes(child)


class _Copies:
    """A deep copy of a function, and what each of its nodes became."""

    def __init__(self, function: Function) -> None:
        self.function = copy.deepcopy(function)
        pairs = zip(ast.walk(function), ast.walk(self.function), strict=True)
        self._by_id = {id(old): new for old, new in pairs}

    def of(self, node: ast.AST) -> ast.AST:
        """Return the copy of a node."""
        return self._by_id[id(node)]
