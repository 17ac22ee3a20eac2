"""`python -m pipelines`: the steps and the user's commands."""

from pipelines.cli import program

if __name__ == "__main__":
    program()
