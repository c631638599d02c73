"""Printing of texts that clients wrote, such as names: a terminal must not act on them."""


def printable(text: str) -> str:
    """Return a text in which all characters but visible ones and spaces are escaped as Python writes them.

    Control characters move the cursor, change the screen or forge lines of a table; marks of writing
    direction reorder what stands beside them.
    """
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in text.encode(errors="replace").decode()
    )


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 file` or `1,200 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def print_row(*values: object) -> None:
    """Print values as one line, with tabs between them."""
    print(*(printable(str(value)) for value in values), sep="\t")
