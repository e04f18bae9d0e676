"""`python -m tui`: the command without its installed script."""

from tui.cli import main

if __name__ == "__main__":
    main()
