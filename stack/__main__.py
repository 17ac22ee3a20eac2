"""`python -m stack`."""

from pipelines.private import keep_private
from stack.cli import app

keep_private()
app(prog_name="python -m stack")
