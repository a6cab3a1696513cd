"""Who is shown in which place of whom: the rules of a room's pictures (RFC 7667 §3.7). Pure.

Whoever speaks is shown, the longest silent gives way; somebody who is shown stays in their place. A picture that was pinned
comes first. Nobody sees themselves. What is shared goes to places for slides, and to the first of a receiver that has none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

Format = tuple[int, str, int]
HOLD_S = 0.6
"""How long somebody must speak to come forward: a cough does not."""


@dataclass(frozen=True, slots=True)
class Source:
    """A stream that may be shown. formats: (payload type, name, packetization mode) that its sender may use."""

    producer_id: int
    participant: int
    is_slides: bool
    formats: tuple[Format, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A stream that a participant gets. formats: that they take."""

    slot_id: int
    participant: int
    is_slides: bool
    formats: tuple[Format, ...]


def fits(source: Source, place: Place) -> bool:
    """Whether a place may take a source: of H.264, no packetization mode 1 at a mode 0."""
    return any(name == other and mode <= theirs for _, name, mode in source.formats for _, other, theirs in place.formats)


class Speakers:
    """Who speaks or has spoken, the latest first. now: monotonic seconds."""

    def __init__(self) -> None:
        self.recent: list[int] = []
        self._since: dict[int, float] = {}
        self._forward: set[int] = set()

    def hear(self, speaking: Iterable[int], now: float) -> bool:
        """These speak now; whether somebody comes forward. Where nobody has spoken yet the first one does at once."""
        heard = list(speaking)
        self._since = {one: self._since.get(one, now) for one in heard}
        self._forward.intersection_update(heard)
        if not self.recent and heard:
            self._since[heard[0]] = now - HOLD_S
        return self.advance(now)

    def advance(self, now: float) -> bool:
        """Let who has spoken long enough come forward; whether somebody does."""
        due = [one for one, since in self._since.items() if since <= now - HOLD_S and one not in self._forward]
        for one in due:
            self._forward.add(one)
            if one in self.recent:
                self.recent.remove(one)
            self.recent.insert(0, one)
        return bool(due)

    def forget(self, participant: int) -> None:
        """Somebody has left."""
        self._since.pop(participant, None)
        self._forward.discard(participant)
        if participant in self.recent:
            self.recent.remove(participant)


def arrange(places: Sequence[Place], sources: Collection[Source], shown: Mapping[int, int], recent: Sequence[int],
            pinned: Sequence[int] = (), *, is_mirror: bool = False) -> dict[int, tuple[int, int]]:
    """What each place of one participant is to show: slot → (producer, rank), producer 0 for nothing.

    sources: those that are open; shown: what its places show now; recent: who spoke, the latest first; pinned: participants;
    is_mirror: everybody sees themselves, and nobody else.
    """
    viewer = places[0].participant if places else 0
    others = [source for source in sources if (source.participant == viewer) == is_mirror]
    slides = [source for source in others if source.is_slides]
    faces = sorted((source for source in others if not source.is_slides), key=lambda one: _order(one, recent, pinned))
    screens, mains = [place for place in places if place.is_slides], [place for place in places if not place.is_slides]
    wanted = faces if screens else slides[-1:] + faces
    out = _fill(mains, wanted, shown, 1)
    out.update(_fill(screens, slides[::-1], shown, 0))
    return out


def _order(source: Source, recent: Sequence[int], pinned: Sequence[int]) -> tuple[int, int]:
    if source.participant in pinned:
        return 0, pinned.index(source.participant)
    if source.participant in recent:
        return 1, recent.index(source.participant)
    return 2, 0


def _fill(places: Sequence[Place], wanted: Sequence[Source], shown: Mapping[int, int],
          first_rank: int) -> dict[int, tuple[int, int]]:
    """The most wanted into the places that take them, each where it is already, if it is."""
    chosen = [source for source in wanted if any(fits(source, place) for place in places)][:len(places)]
    ranks = {source.producer_id: first_rank + rank for rank, source in enumerate(chosen)}
    out = {place.slot_id: (shown[place.slot_id], ranks[shown[place.slot_id]]) for place in places
           if shown.get(place.slot_id, 0) in ranks}
    placed = {producer_id for producer_id, _ in out.values()}
    free = [place for place in places if place.slot_id not in out]
    for source in chosen:
        place = next((place for place in free if fits(source, place)), None)
        if source.producer_id not in placed and place is not None:
            free.remove(place)
            out[place.slot_id] = source.producer_id, ranks[source.producer_id]
    out.update({place.slot_id: (0, first_rank + len(places)) for place in free})
    return out
