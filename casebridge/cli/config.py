"""`casebridge config`: what the server would run with, as TOML, each line with its source."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from casebridge.cli.options import AllOptions, read
from casebridge.settings import (
    DEFAULT_SPACE,
    MASK,
    SETTINGS,
    AlertSink,
    HostTls,
    Loaded,
    Preconfigured,
    Setting,
    masked_url,
    to_text,
)


def config(options: AllOptions = None) -> int:
    """Print the effective settings as TOML, each with its source; secrets are masked.

    It takes the options of `serve`, opens nothing, and ends with 2 when a setting is wrong.
    """
    loaded = read(options)
    for line in lines(loaded):
        print(line)
    for warning in loaded.warnings:
        print(f"casebridge: {warning}", file=sys.stderr)
    return 0


def lines(loaded: Loaded) -> Iterator[str]:
    """The settings as lines of TOML. A setting without a value is a comment, since TOML has no word for that."""
    yield f"# settings file: {loaded.file or 'none'}"
    group = ""
    for name, setting in SETTINGS.items():
        if setting.knob.group != group:
            group = setting.knob.group
            yield f"\n# {group}"
        value = getattr(loaded.settings, name)
        text = f"# {name} is not set" if value is None else f"{name} = {_value(setting, value)}"
        yield f"{text:<46}  # {loaded.sources[name]}"
    for connector in loaded.settings.connectors:
        yield from _connector(connector)
    for host in loaded.settings.tls:
        yield from _host(host)
    for space, sink in loaded.settings.alert_sinks.items():
        if space != DEFAULT_SPACE or loaded.settings.alert_sink_url is None:
            yield from _alert_sink(space, sink)


def _value(setting: Setting, value: Any) -> str:
    if setting.knob.secret:
        return _toml(MASK)
    return _toml(masked_url(value) if setting.knob.holds_password else value)


def _connector(connector: Preconfigured) -> Iterator[str]:
    yield f"\n[connectors.{_toml(connector.id)}]"
    yield f"name = {_toml(connector.name)}"
    yield f"type = {_toml(connector.type)}"
    yield f"config = {_toml(connector.config)}"
    yield f"secrets = {_toml(dict.fromkeys(connector.secrets, MASK))}"
    yield f"expose_config = {_toml(connector.expose_config)}"


def _host(tls: HostTls) -> Iterator[str]:
    yield f"\n[tls.{_toml(tls.name)}]"
    for name in ("verification", "ca_file", "cert_file", "key_file"):
        if (value := getattr(tls, name)) is not None:
            yield f"{name} = {_toml(value)}"
    if tls.key_password is not None:
        yield f"key_password = {_toml(MASK)}"


def _alert_sink(space: str, sink: AlertSink) -> Iterator[str]:
    yield f"\n[alert_sinks.{_toml(space)}]"
    for name in sink.__struct_fields__:
        value = getattr(sink, name)
        if value is not None:
            yield f"{name} = {_toml(MASK if name in ('password', 'api_key') else value)}"


def _toml(value: Any) -> str:
    """A value as TOML spells it; texts are spelt as in JSON, which TOML reads."""
    if isinstance(value, bool | int | float):
        return to_text(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_toml(str(key))} = {_toml(each)}" for key, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"
    return msgspec.json.encode(str(value) if isinstance(value, Path) else value).decode()
