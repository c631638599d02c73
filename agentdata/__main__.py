"""`python -m agentdata` is the command `agentdata`."""

from agentdata.cli import main

if __name__ == "__main__":
    main()
