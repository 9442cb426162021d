"""`python -m d365setup` does what `d365setup` does."""

from d365setup.cli import main

if __name__ == "__main__":
    main()
