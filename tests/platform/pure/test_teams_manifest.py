"""The app package is one that Teams takes."""

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from jsonschema import Draft4Validator

from adapters.teams.manifest import (
    LANGUAGES,
    TEMPLATE_APP_ID,
    TEMPLATE_DOMAIN,
    build_package,
    find_faults,
    make_files,
    make_manifest,
)
from core.commands import parse
from core.errors import UsageError

ROOT = Path(__file__).parents[3]
APP_ID = "0B0F7D1E-3c55-4a6e-9b5e-0f3c7f1f6a01"


@pytest.fixture(scope="module")
def files():
    with zipfile.ZipFile(io.BytesIO(build_package(APP_ID, "bot.contoso.com"))) as package:
        return {name: package.read(name) for name in package.namelist()}


@pytest.fixture(scope="module")
def schemas():
    """Find the official schemas in the npm package @microsoft/app-manifest."""
    for folder in (ROOT, *ROOT.parents):
        found = folder / "node_modules/@microsoft/app-manifest/build/json-schemas/teams/v1.29"
        if found.is_dir():
            return found
    pytest.skip("npm's @microsoft/app-manifest is not installed: npm install --no-save @microsoft/app-manifest@1.1.2")


def test_the_package_has_what_it_names_and_keeps_the_limits(files):
    assert set(files) == {"manifest.json", "color.png", "outline.png", *(f"{name}.json" for name in LANGUAGES)}
    assert find_faults(files) == []


def test_a_fault_is_found(files):
    manifest = json.loads(files["manifest.json"])
    manifest["name"]["short"] = "x" * 31
    manifest["bots"][0]["commandLists"][0]["commands"] *= 2
    broken = {"manifest.json": json.dumps(manifest).encode(), "color.png": b""}
    faults = find_faults(broken)
    assert any("name.short" in fault for fault in faults)
    assert any("outline.png" in fault for fault in faults)
    assert any("Command list 0" in fault for fault in faults)


def test_the_manifest_is_valid_under_the_official_schema(files, schemas):
    schema = json.loads((schemas / "MicrosoftTeams.schema.json").read_text("utf-8"))
    Draft4Validator(schema).validate(json.loads(files["manifest.json"]))
    Draft4Validator(schema).validate(make_manifest(APP_ID, "bot.contoso.com", reads_all=True))
    language = json.loads((schemas / "MicrosoftTeams.Localization.schema.json").read_text("utf-8"))
    for name in LANGUAGES:
        Draft4Validator(language).validate(json.loads(files[f"{name}.json"]))


def test_the_bot_is_ours_in_every_scope(files):
    manifest = json.loads(files["manifest.json"])
    (bot,) = manifest["bots"]
    assert (bot["botId"], manifest["id"], manifest["manifestVersion"]) == (APP_ID.lower(), APP_ID.lower(), "1.29")
    assert bot["scopes"] == ["personal", "team", "groupChat"]
    assert (bot["supportsFiles"], bot["supportsTargetedMessages"]) == (True, True)
    assert manifest["validDomains"] == ["bot.contoso.com"]
    assert bot["commandLists"][1]["triggers"] == ["mention", "slash"]


def test_every_command_of_the_lists_is_one_of_ours_and_described_in_each_language(files):
    manifest = json.loads(files["manifest.json"])
    for number, commands in enumerate(manifest["bots"][0]["commandLists"]):
        for place, command in enumerate(commands["commands"]):
            assert parse(f"/{command['title']}").command is not None
            key = f"bots[0].commandLists[{number}].commands[{place}].description"
            said = [json.loads(files[f"{language}.json"])[key] for language in LANGUAGES]
            assert said[0] == command["description"]
            assert len(set(said)) > 1


@pytest.mark.parametrize(("name", "size"), [("color.png", 192), ("outline.png", 32)])
def test_the_icons_are_pictures_of_the_right_size(files, name, size):
    pixels = read_png(files[name], size)
    if name == "color.png":
        assert all(alpha == 255 for *_, alpha in pixels)
        assert len(set(pixels)) > 2
    else:
        assert all((red, green, blue) == (255, 255, 255) for red, green, blue, _ in pixels)
        assert {alpha for *_, alpha in pixels} >= {0, 255}


def read_png(data, size):
    """Read a PNG of our kind: eight bits, four colours, no filter."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, found = 8, {}
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        found[kind] = body
        at += 12 + length
    assert struct.unpack(">IIBBBBB", found[b"IHDR"]) == (size, size, 8, 6, 0, 0, 0)
    raw = zlib.decompress(found[b"IDAT"])
    rows = [raw[start : start + 4 * size + 1] for start in range(0, len(raw), 4 * size + 1)]
    assert len(rows) == size
    assert all(row[0] == 0 for row in rows)
    return [tuple(row[place : place + 4]) for row in rows for place in range(1, len(row), 4)]


def test_the_same_package_has_the_same_bytes():
    assert build_package(APP_ID, "bot.contoso.com") == build_package(APP_ID, "bot.contoso.com")


@pytest.mark.parametrize(
    ("app_id", "domain", "more"),
    [
        ("app", "bot.contoso.com", {}),
        (APP_ID, "https://bot.contoso.com", {}),
        (APP_ID, "bot.contoso.com/x", {}),
        (APP_ID, "localhost", {}),
        (APP_ID, "bot.contoso.com", {"version": "1.0"}),
        (APP_ID, "bot.contoso.com", {"developer": ""}),
    ],
)
def test_what_teams_would_refuse_is_refused_here(app_id, domain, more):
    with pytest.raises(UsageError):
        make_manifest(app_id, domain, **more)


def test_the_example_in_the_repository_is_what_the_code_makes():
    """After a change, write what make_files returns for the template into manifest/teams."""
    for name, data in make_files(make_manifest(TEMPLATE_APP_ID, TEMPLATE_DOMAIN)).items():
        assert (ROOT / "manifest/teams" / name).read_bytes() == data, name
