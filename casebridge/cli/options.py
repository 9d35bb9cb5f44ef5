"""Settings as command-line options: made from `settings`, so that no option, help text or default is written twice."""

from __future__ import annotations

import os
from dataclasses import make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group, Parameter

from casebridge.settings import CONFIG_VARIABLE, SETTINGS, Loaded, Setting, load, to_text

_METAVARS: dict[Any, str] = {str: "TEXT", Path: "PATH", bool: "true|false", int: "NUMBER", float: "NUMBER"}


def read(options: object | None) -> Loaded:
    """The effective settings with these options; SettingsError for a wrong one."""
    given = {} if options is None else {name: text for name, text in vars(options).items() if text is not None}
    return load(given, os.environ)


def _help(setting: Setting) -> str:
    default = to_text(setting.default) if setting.default not in (None, "", ()) else "none"
    choices = f" One of {', '.join(setting.knob.choices)}." if setting.knob.choices else ""
    unit = f" {setting.knob.unit}" if setting.knob.unit else ""
    return f"{setting.knob.help}{choices} [default: {default}{unit}]"


def _options(*names: str) -> Any:
    """The type of options for settings of these names, and for the TOML file."""
    config = Parameter(
        name="--config",
        help=f"TOML file of settings; without it, casebridge.toml in the data folder. Variable {CONFIG_VARIABLE}.",
        group=Group.create_ordered("Settings file"),
        metavar="FILE",
    )
    fields: list[tuple[str, Any, Any]] = [("config", Annotated[str | None, config], None)]
    groups = {each.knob.group: Group.create_ordered(each.knob.group) for each in SETTINGS.values()}
    for name in names:
        setting = SETTINGS[name]
        parameter = Parameter(
            name=setting.option,
            help=_help(setting),
            group=groups[setting.knob.group],
            show_default=False,
            metavar=_METAVARS.get(setting.kind, "LIST"),
            negative="",
            allow_leading_hyphen=setting.kind in (int, float),
        )
        fields.append((name, Annotated[str | None, parameter], None))
    # Without a module of ours, cyclopts takes it for a type of the interpreter.
    made = make_dataclass("Options", fields, kw_only=True, namespace={"__module__": __name__})
    return Annotated[made | None, Parameter(name="*")]


if TYPE_CHECKING:
    AllOptions = object | None
    StoreOptions = object | None
    WorkerOptions = object | None
else:
    # Every setting that may be seen in a list of processes; and those that say where the store is.
    AllOptions = _options(*(name for name, each in SETTINGS.items() if not each.knob.secret))
    StoreOptions = _options("data", "database_url", "encryption_key_file")
    # What a worker of pushes heeds: no address to listen on, nothing about requests.
    _WORKING = ("Connectors", "Pushes", "Alerts", "Logs")
    WorkerOptions = _options(
        *("data", "drain_s", "database_url", "database_pool_size", "encryption_key_file", "public_base_url"),
        *("metrics_port", "metrics_host"),
        *(
            name
            for name, each in SETTINGS.items()
            if each.knob.group in _WORKING and not each.knob.secret and name not in ("worker", "push_wait_s")
        ),
    )
