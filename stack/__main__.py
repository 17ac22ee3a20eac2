"""`python -m stack`."""

from pipelines.private_files import keep_private
from stack.cli import app

keep_private()
app(prog_name="python -m stack")
