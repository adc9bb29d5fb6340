"""Commands that compare builds, which they derive from that of a spec."""

from collections.abc import Mapping

from rules.command import Command
from rules.commands import ablation, baselines, bits, curve
from rules.derived import settled, upto
from rules.options import OF
from rules.stage import Resolved

COMPARISONS: Mapping[str, Command] = {
    command.name: command for command in (ablation.COMMAND, baselines.COMMAND, bits.COMMAND, curve.COMMAND)
}
"""By name."""


def builds(command: str, resolved: Resolved) -> tuple[list[Resolved], int]:
    """What ``command`` builds for the spec, in order; and how many other builds there are of which these decide.

    The spec's own build comes first, with the stages alone that the others need if it is not one of them.
    """
    derives = COMPARISONS[command].derives
    assert derives is not None
    compared = derives(resolved)
    found, name = [*compared.first], resolved["spec"]["name"]
    open_ = len(compared.possible)
    if open_ and settled(compared.first):
        chosen, open_ = {one["spec"]["name"] for one in compared.choice()}, 0
        taken = {other for one in compared.possible if one["spec"]["name"] in chosen for other in _takes(one).values()}
        found += [one for one in compared.possible if one["spec"]["name"] in chosen | taken]
    needed = {artifact for one in found for artifact, other in _takes(one).items() if other == name}
    whole = [one for one in found if one["spec"]["name"] == name and "stages" not in one]
    parts = [stage for one in found if one["spec"]["name"] == name for stage in one.get("stages", ())]
    own = whole[0] if whole else {**resolved, "stages": [*parts, *upto(needed, resolved)]}
    return [own, *(one for one in found if one["spec"]["name"] != name)], open_


def asked(resolved: Resolved) -> bool:
    """Whether the spec has the command that ``of=`` names, if that names one."""
    command = COMPARISONS.get(OF.given or "")
    return command is None or command.serves(resolved)


def _takes(resolved: Resolved) -> Mapping[str, str]:
    """Artifacts that other builds make for this one, with the names of these."""
    shares: Mapping[str, str] = resolved.get("shares", {})
    return shares
