from dataclasses import dataclass
@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    level: int = 0
    layers: tuple = ()
    missing: tuple = ()
def prepare(*, max_level=3): return Confinement()
def enter_namespaces(c): pass
def lock_down(c, *, keep, memory_limit_mib, cpu): pass
