"""How the words of a command are read: usage that can be typed, names after --, hints for what is easily mistyped."""

from __future__ import annotations

import importlib
import itertools
import os
import re

import pytest
from support.fake_clip import paint

from contralto.cli.commands import COMMANDS, GROUPS, Parser
from contralto.cli.exit_codes import UsageError

FORMS = [(name, form) for name, command in COMMANDS.items() for form in command.forms]
SAMPLES = {"LAYOUT": "native", "FILE": "rows.csv"}


def parsed(name, *arguments):
    module = importlib.import_module(f"contralto.cli.{name}")
    parser = Parser.of(name, module.__doc__)
    module.options(parser)
    return parser.parse(arguments)


def typed(form, whole):
    """What a reader of the usage line types: all of it, or only what is not in brackets."""
    form = form.replace("[options]", "--quiet")
    form = re.sub(r"[\[\]]", "", form) if whole else re.sub(r"\[.*?\](\.\.\.)?", "", form)
    words = []
    for word in form.split():
        name = word.removesuffix("...")
        words += [SAMPLES.get(name, name)] * (2 if word.endswith("...") and not name.startswith("-") else 1)
    return words


@pytest.mark.parametrize(("whole", "name", "form"), [(w, *one) for w, one in itertools.product((True, False), FORMS)])
def test_each_usage_line_can_be_typed_as_it_stands(whole, name, form):
    assert parsed(name, *typed(form, whole)).quiet == ("[options]" in form)


def test_the_usage_line_names_every_positional_and_required_argument(cli):
    for name, command in COMMANDS.items():
        shown = cli(name, "--help").out.split("\n\n")[0]
        assert [line.strip().removeprefix("usage: ") for line in shown.splitlines()] == [
            f"contralto {name} {form}" for form in command.forms
        ]
        parser = Parser.of(name, None)
        importlib.import_module(f"contralto.cli.{name}").options(parser)
        for action in parser._actions:
            if action.required and action.option_strings:
                assert action.option_strings[0] in command.forms[0]
            elif not action.option_strings:
                assert str(action.metavar) in " ".join(command.forms)


def test_help_has_groups_by_what_one_wants(cli):
    told = cli("--help").out
    places = [told.index(f"\n{group}:\n") for group in GROUPS]
    assert places == sorted(places)
    assert [*COMMANDS] == [name for group in GROUPS.values() for name in group]


LISTS = [
    ("classify", "--labels"),
    ("similarity", "--text"),
    ("embed", "--text"),
    ("score", "--text"),
    ("score", "--references"),
]


@pytest.mark.parametrize("odd", ["-odd-name.png", "--labels", "--json", "-1", "-", "-h", "a.png"])
@pytest.mark.parametrize(("name", "option"), LISTS)
def test_whatever_follows_two_hyphens_is_a_name(name, option, odd):
    args = parsed(name, option, "cat", "dog", "--", odd, "b.png")
    assert (args.pictures, vars(args)[option.removeprefix("--")], args.json) == ([odd, "b.png"], ["cat", "dog"], False)
    args = parsed(name, "a.png", option, "cat", "--json", "--", odd)
    assert (args.pictures, vars(args)[option.removeprefix("--")], args.json) == (["a.png", odd], ["cat"], True)


def test_names_after_two_hyphens_where_a_command_takes_several_words():
    args = parsed("search", "folder", "--not", "x", "--", "-query")
    assert (args.folder, args.query, args.away) == ("folder", ["-query"], ["x"])
    args = parsed("search", "--top", "3", "--", "-folder", "--query")
    assert (args.folder, args.query, args.top) == ("-folder", ["--query"], 3)
    args = parsed("evaluate", "nano", "--shots", "1", "2", "--", "-set", "b")
    assert (args.name, args.sets, args.shots) == ("nano", ["-set", "b"], [1, 2])
    args = parsed("evaluate", "--check", "sizes", "faces", "--", "nano", "set")
    assert (args.name, args.sets, args.check) == ("nano", ["set"], ["sizes", "faces"])
    args = parsed("convert", "--to", "native", "--", "-model", "-out")
    assert (args.source, args.folder) == ("-model", "-out")
    assert parsed("demo", "--", "-f").folder == "-f"
    assert parsed("embed", "--text", "a", "--").pictures == []


def test_an_odd_name_reaches_the_command(cli, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paint(tmp_path / "-odd-name.png", "red")
    os.rename("-odd-name.png", "--odd.png")
    for arguments in (["classify", "--labels", "red", "blue"], ["similarity", "--text", "red"], ["embed"]):
        result = cli(*arguments, "--json", "--", "--odd.png")
        assert (result.code, result.objects[0]["path"]) == (0, "--odd.png")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["classify", "--labels", "cat", "a.png"], "PICTURE; write it before the options, or after --"),
        (["classify", "--labels", "cat", "--", "a.png", "--top"], None),
        (["convert", "a", "b", "c", "--to", "native"], "unrecognized arguments: c"),
        (["convert", "a", "--to", "native", "--", "b", "--force"], "unrecognized arguments: --force"),
        (["models", "--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_what_is_missing_or_too_much(arguments, said):
    if said is None:
        assert parsed(*arguments).pictures == ["a.png", "--top"]
        return
    with pytest.raises(UsageError, match=re.escape(said)):
        parsed(*arguments)


def test_a_file_that_is_taken_for_an_option_gets_a_hint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"^unrecognized arguments: -odd\.png$"):
        parsed("classify", "--labels", "cat", "--quiet", "-odd.png")
    (tmp_path / "-odd.png").touch()
    with pytest.raises(UsageError, match=r"-odd\.png; write a name that starts with - after --$"):
        parsed("classify", "--labels", "cat", "--quiet", "-odd.png")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a", "dog", "on", "the", "beach"], 'put the query in quotes: contralto search {folder} "a dog on the beach"'),
        (["a", "$dog"], "put the query in quotes: contralto search {folder} 'a $dog'"),
        (
            ["a", "dog", "--not", "a", "cat"],
            'in quotes (and the text after --not): contralto search {folder} "a dog cat"',
        ),
        (["{folder}", "dog"], "takes one FOLDER and one QUERY, got 3 words"),
    ],
)
def test_a_query_without_quotes_gets_a_hint(cli, clip, tmp_path, words, said):
    result = cli("search", tmp_path, *(word.format(folder=tmp_path) for word in words))
    assert (result.code, len(result.err.splitlines())) == (2, 2)
    assert said.format(folder=tmp_path) in result.err
    assert clip.seen == []


def test_a_name_that_is_no_file_gets_its_reason(cli, clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paint(tmp_path / "a.png", "red")
    given = ["https://example.org/a.jpg", "-", "*.jpg", "~/a.jpg", "gone.jpg"]
    said = ["is a web address", "standard input is not read", "no file matches", "is not expanded", "no such file"]
    for arguments in (["classify", "--labels", "red"], ["similarity", "--text", "red"], ["embed"]):
        result = cli(*arguments, "--", *given, "a.png")
        assert result.code == 3
        lines = result.err.splitlines()
        assert [line.partition(": ")[0] for line in lines] == given
        for line, reason in zip(lines, said, strict=True):
            assert reason in line
    for folder, reason in (("https://example.org/", "is a web address"), ("~/Pictures", "is not expanded")):
        result = cli("search", folder, "red")
        assert (result.code, len(result.err.splitlines())) == (1, 1)
        assert reason in result.err
    result = cli("search", ".", "--image", "https://example.org/a.jpg")
    assert (result.code, "is a web address" in result.err) == (1, True)
