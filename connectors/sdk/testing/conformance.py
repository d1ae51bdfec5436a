"""The conformance kit: three lines in a connector's tests, or `keruen connectors certify`. Runs offline, in seconds.

TestAcme = conformance(CONNECTOR, cases=Path(__file__).parent / "cases", config=CONFIG, sandbox=sandbox)
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import SkipTest

from connectors.sdk.config import ConnectionConfig
from connectors.sdk.spec import ConnectorSpec
from connectors.sdk.testing.kit import Broken, DoesNotApply, Kit
from connectors.sdk.testing.rules import CERTIFIED, RULES, Rule


@dataclass(frozen=True)
class Verdict:
    """Of one rule. `passed` with a `why` that begins "does not apply": there was nothing to try."""

    rule: str
    passed: bool
    why: str = ""


def conformance(
    spec: ConnectorSpec,
    *,
    cases: Path | None,
    config: ConnectionConfig,
    sandbox: Callable[..., Any] | None = None,
    exempt: Iterable[str] = (),
) -> type:
    """A pytest class with one test per rule. `exempt`: rules that this vendor makes impossible; say why beside."""
    kit = Kit(spec, config, cases, sandbox)
    spared = set(exempt)
    if unknown := spared - {rule.__name__ for rule in RULES}:
        raise ValueError(f"no such rules: {', '.join(sorted(unknown))}")
    tests = {f"test_{rule.__name__}": _test(rule, kit) for rule in RULES if rule.__name__ not in spared}
    return type(f"Test{spec.name.title().replace('_', '')}", (), tests)


def certify(spec: ConnectorSpec, module: ModuleType | None, cases: Path | None = None) -> list[Verdict]:
    """The kit and the vendor's limits, on the connector's own module `sandbox` (its `sandbox()` and `DEMO`)."""
    demo = getattr(module, "DEMO", None)
    kit = Kit(spec, spec.config.model_construct(), cases)
    if module is not None and demo is not None:
        config = spec.config.model_validate({**demo.settings, **demo.secrets})
        kit = Kit(spec, config.named(f"{spec.name}_certified"), cases, module.sandbox)
    elif kit.networked:
        return [Verdict("it_has_a_sandbox", False, "certification needs a sandbox.py with `sandbox` and `DEMO`")]
    return [verdict(rule, kit) for rule in CERTIFIED]


def verdict(rule: Rule, kit: Kit) -> Verdict:
    """A connector that breaks in a way no rule foresees has failed the rule that found it."""
    try:
        rule(kit)
    except DoesNotApply as why:
        return Verdict(rule.__name__, True, f"does not apply: {why}")
    except Broken as why:
        return Verdict(rule.__name__, False, str(why))
    except Exception as error:
        return Verdict(rule.__name__, False, f"{type(error).__name__}: {error}")
    return Verdict(rule.__name__, True)


def _test(rule: Rule, kit: Kit) -> Callable[[Any], None]:
    def test(self: Any) -> None:
        try:
            rule(kit)
        except DoesNotApply as why:
            raise SkipTest(str(why)) from None

    test.__doc__ = rule.__doc__
    return test
