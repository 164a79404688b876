"""Languages and subtitles of a delivery play: in hls.js, dash.js and Shaka Player, in a real Chromium.

What is heard is told by its frequency, and what is shown by the browser's own list of cues.
"""

from __future__ import annotations

import pytest

from .conftest import TONES_HZ
from .test_playback import PLAYED

HEARD = "Math.abs(heardHz() - args[0]) < 12 && !s.seeking"
SHOWN = "shownText() === args[0] && !s.seeking"


@pytest.mark.parametrize(("player", "playlist"), PLAYED)
def test_the_language_that_is_chosen_is_heard_at_once_and_in_every_pair(visit, tracks_delivered, player, playlist):
    page = visit(tracks_delivered)
    page.open(player, playlist)
    page.page.evaluate("listen()")
    offered = {tuple(track) for track in page.page.evaluate("player.spoken()")}
    assert offered == {("en", "English"), ("de", "Deutsch")}
    page.play(rate=0.5)  # the browser keeps the pitch
    page.wait("s.time_s > 0.2")
    for language in ("de", "en"):
        page.page.evaluate("language => { player.speak(language); }", language)
        page.wait(
            HEARD, TONES_HZ[language] * 0.5 if page.page.evaluate("!video.preservesPitch") else TONES_HZ[language]
        )
    assert page.failures() == []


@pytest.mark.parametrize(("player", "playlist"), PLAYED)
def test_subtitles_are_shown_when_they_are_asked_for_at_their_times(visit, tracks_delivered, player, playlist):
    page = visit(tracks_delivered)
    page.open(player, playlist)
    page.play(rate=0.25)  # dash.js fetches text while it plays, and forgets what it is fetching when it seeks
    page.wait("s.time_s > 0.1")
    assert page.page.evaluate("shownText()") == ""
    page.page.evaluate("player.show('de')")
    if player == "shaka":  # it learns the clock of HLS subtitles from the next video that it appends: of another rung
        playing = page.state()["playing"][0]
        page.force(next(pair for pair in page.offered() if pair[0] != playing and not pair[1].endswith("-de")))
    page.wait("s.time_s > 0.5 && shownText().includes('Eins')")
    page.page.evaluate("video.pause()")
    both = "<i>Eins</i> &amp; zwei|Dazu drei"
    same_text = "shownText().replace('&amp;', '&') === args[0].replace('&amp;', '&') && !s.seeking"
    for time_s, text in ((2.0, both), (2.75, "Dazu drei"), (4.0, "")):
        page.seek(time_s)
        page.wait(same_text, text)
    page.seek(1.0)
    page.wait("!s.seeking")
    page.play(rate=0.25)
    page.page.evaluate("player.show('en')")
    page.wait(SHOWN, "[thunder]")
    page.page.evaluate("video.pause()")
    page.page.evaluate("player.show('de')")
    # Nearer to the end than 7.6 s, the browser on a busy machine waits for more.
    for time_s, text in ((5.5, "Über den Schnitt"), (6.6, "Über den Schnitt"), (7.6, "Nach dem Ende")):
        page.seek(time_s)
        page.wait(same_text, text)
    page.page.evaluate("player.show(null)")
    page.wait(SHOWN, "")
    assert page.failures() == []
