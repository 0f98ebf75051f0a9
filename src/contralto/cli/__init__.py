"""The command line. Only this package prints and exits; everything below it raises.

Read `main.py` (errors), `exit_codes.py`, `commands.py` (the list of commands, their usage, the parser), `console.py`
(stdout, stderr), `options.py` (shared options), `picture_inputs.py`, `text_notes.py` (shared inputs), then one command.
Each command has `options(parser)` and `run(args, console) -> exit code`. Its module docstring is its help text.
`embedding_files.py` writes the files of `embed`; `demo/` is the command with the web page.
"""
