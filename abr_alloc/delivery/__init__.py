"""From a ladder to a stream that plays, and back: encode, check, measure."""
