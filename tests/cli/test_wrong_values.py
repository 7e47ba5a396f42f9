"""Every option of every command with a wrong value: exit 2, and the option and what was given are named."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from deficits.cli import app
from tests.cli.test_cli import run

WRONG = {
    "as-of": ["x", "2025-02-30", "1990-01-01"],
    "authority": ["Knet"],
    "csv": ["out.txt", "nowhere/out.csv"],
    "draws": ["x", "-5", "1.5"],
    "folder": ["nowhere"],
    "own": ["nowhere.csv"],
    "rate": ["x", "-5", "2027=x"],
    "scenario": ["nowhere.yaml"],
    "seed": ["x", "-1"],
    "set": ["x"],
    "until": ["x", "1900"],
    "year": ["x", "1900"],
}
"""What is wrong for an option, whatever command has it."""
CALLS: dict[str, dict[str, list[str]]] = {
    "project": {
        "lever": ["helth-share"], "per": ["pupl"], "real": ["x", "1900"], "reaches": ["x", "-5"],
        "region": ["Lodon"],
    },
    "writeoff flat-share": {"share": ["x", "-1", "90"], "allocations": ["nowhere.csv"]},
    "compare flat-share": {"cluster": ["x"]},
    "plan Leeds example": {},
    "places Leeds": {},
    "workbook Leeds": {"to": ["out.txt"]},
    "case Leeds 144.4m": {
        "actions": ["nowhere.yaml"], "contribution": ["x", "2027=x", "1900=5m"],
        "forecast": ["x", "soon=5m", "1900=5m"], "ineligible": ["x", "pay=x"], "late": ["x", "-1", "100", "nan"],
        "minimum": ["x", "−£5"], "paid-on": ["x", "2025-02-30", "1990-01-01"], "reserves": ["x", "−£5"],
        "scheme": ["flat-shre"], "source": ["x", "accounts=x"], "surplus": ["x", "−£5"], "xlsx": ["out.txt"],
    },
    "trace Kent 2024": {},
    "build": {"rule": ["lowst"]},
    "fetch ehc-plans": {"file": ["nowhere.csv"]},
    "own {tmp}/own.csv": {"unit": ["x"]},
    "report writeoff": {
        "as-of": ["x", "2025-02-30"],
        "scheme": ["flat-shre"], "engine": ["plane"], "jobs": ["x", "0"], "cell-seconds": ["x", "0"],
        "page-seconds": ["x", "-1"], "memory": ["x", "1"], "every-days": ["x", "0"], "cluster": ["x"],
        "authorities": ["Knet"],
    },
    "explore": {"port": ["x", "0", "99999"]},
    "scheme new {tmp}/mine.yaml": {"like": ["flat-shre"]},
    "forecasts list": {},
    "forecasts issue name --note x": {},
    "forecasts verify": {},
    "forecasts score": {},
    "forecasts diff first-record block-less-spend": {},
    "forecasts explain OBR": {},
    "voi": {"year": ["x", "1900", "2022", "2025"]},
}  # fmt: skip
"""A call of each command that has an option with a value, and what is wrong for its own options."""
ANY = {"accept", "base-url", "keep", "note", "out", "raw", "retire-correction", "version"}
"""Options for which any text or folder may be right."""
NAMED = {"as-of": "as_of", "authority": "council", "like": "scheme", "paid-on": "paid_on"}
"""What a message calls an option otherwise than the option is written."""


MISSPELT = {"Knet", "Lodon", "flat-shre", "helth-share", "lowst", "pupl"}


def probes() -> Iterator[tuple[str, str, str]]:
    for call, own in CALLS.items():
        command = get_command(app)
        for word in call.split():
            command = getattr(command, "commands", {}).get(word, command)
        for option in command.params:
            name = option.opts[-1].removeprefix("--")
            if option.param_type_name == "option" and not option.is_flag and name not in {"help", *ANY}:
                yield from ((call, name, value) for value in own.get(name) or WRONG[name])


@pytest.mark.parametrize(("call", "option", "value"), list(probes()))
def test_a_wrong_value_is_named_with_its_option_and_exit_2(
    call: str, option: str, value: str, tmp_path: Path
) -> None:
    (tmp_path / "own.csv").write_text("year,balance\n2024-25,-97500000\n")
    elsewhere = ["--out", str(tmp_path)] if call.split()[0] in ("build", "report") else []
    done = run(*call.format(tmp=tmp_path).split(), *elsewhere, f"--{option}", value)
    assert done.returncode == 2, done.stdout + done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr
    assert value in done.stderr or value.partition("=")[0] in done.stderr
    assert option in done.stderr or NAMED[option] in done.stderr
    assert value not in MISSPELT or "did you mean" in done.stderr


def test_every_command_that_takes_a_value_is_probed() -> None:
    def names(command: object, before: str = "") -> Iterator[str]:
        for name, each in getattr(command, "commands", {}).items():
            yield from names(each, f"{before}{name} ")
            if not hasattr(each, "commands"):
                yield f"{before}{name}"

    called = [f"{call} " for call in CALLS]
    left = {name for name in names(get_command(app)) if not any(call.startswith(f"{name} ") for call in called)}
    assert left == {"check", "diff", "levers", "outlook", "schemes", "verify"}
