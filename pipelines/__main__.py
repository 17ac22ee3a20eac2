"""`python -m pipelines`: the steps and the user's commands."""

from pipelines.cli import main

if __name__ == "__main__":
    main()
