"""Who is shown in which place of whom: the rules of a room's pictures (RFC 7667 §3.7). Pure.

Whoever speaks is shown, the longest silent gives way; somebody who is shown stays in their place. A picture that was pinned
comes first. Nobody sees themselves. What is shared goes to places for slides, and to the first of a receiver that has none.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
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


def in_order(sources: Iterable[Source], recent: Sequence[int]) -> list[Source]:
    """Sources by importance: who spoke last comes first, who never did in the order of coming. recent: the latest first."""
    place = {participant: index for index, participant in enumerate(recent)}
    return sorted(sources, key=lambda source: place.get(source.participant, len(place)))


def arrange(places: Sequence[Place], sources: Sequence[Source], shown: Mapping[int, int], pinned: Sequence[int] = (), *,
            is_mirror: bool = False) -> dict[int, tuple[int, int]]:
    """What each place of one participant is to show: slot → (producer, rank), producer 0 for nothing.

    sources: those that are open, `in_order`; shown: what its places show now; pinned: participants; is_mirror: everybody sees
    themselves, and nobody else.
    """
    viewer = places[0].participant if places else 0
    screens, mains = [place for place in places if place.is_slides], [place for place in places if not place.is_slides]
    slides = [source for source in sources if source.is_slides and (source.participant == viewer) == is_mirror][-1:]
    faces = (source for source in itertools.chain(_pinned(sources, pinned), _others(sources, pinned))
             if (source.participant == viewer) == is_mirror)
    out = _fill(mains, faces if screens else itertools.chain(slides, faces), shown, 1)
    out.update(_fill(screens, slides, shown, 0))
    return out


def _pinned(sources: Sequence[Source], pinned: Sequence[int]) -> Iterator[Source]:
    return (source for participant in pinned for source in sources
            if source.participant == participant and not source.is_slides)


def _others(sources: Sequence[Source], pinned: Sequence[int]) -> Iterator[Source]:
    return (source for source in sources if not source.is_slides and source.participant not in pinned)


def _fill(places: Sequence[Place], wanted: Iterable[Source], shown: Mapping[int, int],
          first_rank: int) -> dict[int, tuple[int, int]]:
    """The most wanted into the places that take them, each where it is already, if it is."""
    fitting = (source for source in wanted if any(fits(source, place) for place in places))
    chosen = list(itertools.islice(fitting, len(places)))
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
