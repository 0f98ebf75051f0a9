"""The command line. Only this package prints and exits; everything below it raises.

Read `main.py` (errors, exit codes), `commands.py` (which commands there are, and how their words are read),
`console.py` (what goes to stdout and what to stderr), `options.py` (what commands share), then a command: each has
`options(parser)` and `run(args, console) -> exit code`.
"""
