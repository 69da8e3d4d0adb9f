"""What an input file of CalculiX says, card by card."""


def cards_of(path):
    """Cards of a deck with the data lines under them."""
    cards: list[tuple[str, list[str]]] = []
    for line in path.read_text().splitlines():
        if line.startswith("**"):
            continue
        if line.startswith("*"):
            cards.append((line, []))
        else:
            cards[-1][1].append(line)
    return cards


def equations(cards):
    """Every equation as its terms: node, axis, factor."""
    for card, data in cards:
        rest = list(data) if card == "*EQUATION" else []
        while rest:
            count, terms = int(rest.pop(0)), []
            while len(terms) < count:
                entries = rest.pop(0).split(",")
                terms += [(int(n), int(i), float(v)) for n, i, v in zip(*[iter(entries)] * 3, strict=True)]
            assert len(terms) == count
            yield terms
