"""What one edit of an item makes of which field."""

from convergence.oracle import all_statuses
from convergence.people import edited
from keepstep.domain.fields import Field


def edited_field(side, item, edit, hand):
    snapshot = item.snapshot
    match edit:
        case "title":
            kept = f"{snapshot.title} " if hand.place % 2 and len(snapshot.title) < 150 else "Title "
            return Field.TITLE, f"{kept}{hand.words[0]}"
        case "status":
            known = all_statuses(side)
            return Field.STATUS, known[hand.place % len(known)]
        case "restore":
            older = item.history[hand.place % len(item.history)] if item.history else snapshot
            return Field.DESCRIPTION, older.description
    return Field.DESCRIPTION, edited(side, snapshot.description, edit, hand)
