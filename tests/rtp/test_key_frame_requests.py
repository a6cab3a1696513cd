"""Key frames are asked for once a second at most, however many want one, and again while none comes."""

from __future__ import annotations

from rtp.key_frame_requests import KeyFrameRequests

SECOND = 1_000_000_000


def asked_at(requests: KeyFrameRequests, until_s: float, step_s: float = 0.1) -> list[float]:
    """When requests go out, looked at in steps."""
    return [step / 10 for step in range(int(until_s / step_s)) if requests.is_due(step * SECOND // 10)]


def test_flood_of_wishes_is_one_request_a_second() -> None:
    requests = KeyFrameRequests()
    sent = 0
    for step in range(3000):
        requests.want()
        sent += requests.is_due(step * SECOND // 1000)
        if step % 10 == 9:
            requests.on_key_frame()
    assert sent == 3
    assert requests.asked == 3 and requests.merged > 2000


def test_first_wish_is_asked_at_once_and_again_less_and_less_often() -> None:
    requests = KeyFrameRequests()
    assert requests.next_ns is None
    requests.want()
    assert asked_at(requests, 20) == [0.0, 1.0, 3.0, 6.0, 10.0, 15.0]
    assert requests.number == 1


def test_key_frame_ends_the_asking_and_the_next_wish_is_asked_at_once() -> None:
    requests = KeyFrameRequests()
    requests.want()
    asked_at(requests, 20)
    requests.on_key_frame()
    assert not requests.is_due(30 * SECOND) and requests.next_ns is None
    requests.want()
    assert requests.is_due(30 * SECOND)
    assert requests.number == 2
