"""From a ladder to a stream that plays, and back: encode, measure, encode again what missed."""
