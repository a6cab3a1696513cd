"""Who may call what: accounts, guests with a PIN, services, the factory, limits; what a stranger gets."""

from __future__ import annotations

import gc
import weakref

import pytest

from mcu.attempts import Attempts
from mcu.dialplan import Dialplan, Elsewhere, Factory, Nowhere, RoomCalled, Service, UserCalled, without_pin
from mcu.placement import MemoryPlacement
from mcu.switchboard import Limits
from sip.events import (
    CallAnswered,
    CallTerminated,
    Registered,
    RegistrationFailed,
    ResponseReceived,
    SubscriptionTerminated,
)
from sip.uri import Uri
from tests.helpers.house import House, Phone, sdp


def refusal(phone: Phone) -> tuple[int, str]:
    """How the phone's last call ended."""
    ended = phone.side.take(CallTerminated)
    return ended.status, ended.reason


@pytest.mark.parametrize(("uri", "what"), [
    ("sip:echo@house.example", Service("echo", "echo")), ("sip:conference@192.0.2.100", Factory()),
    ("sip:DAILY@house.example", RoomCalled("daily")), ("sip:daily.123456@house.example:5060", RoomCalled("daily", "123456")),
    ("sip:d%61ily@house.example", RoomCalled("daily")), ("sip:alice@house.example", UserCalled("alice")),
    ("sip:daily@elsewhere.example", Elsewhere("elsewhere.example")), ("sip:a.b@house.example", Nowhere()),
    ("sip:house.example", Nowhere()), ("tel:+491234", Elsewhere("")), ("sip:da_ily@house.example", Nowhere()),
])
def test_addresses(uri: str, what: object) -> None:
    assert Dialplan("house.example", lambda name: name == "alice").resolve(Uri.parse(uri)) == what


def test_pin_is_taken_off_before_anything_is_logged() -> None:
    assert without_pin(Uri.parse("sip:daily.123456@house.example;user=phone")) == "sip:daily@house.example"


def test_stranger_is_challenged_for_known_and_unknown_rooms_alike() -> None:
    house = House()
    house.directory.add_room("daily")
    stranger = house.phone("stranger")
    for name in ("daily", "nothing"):
        stranger.call(f"sip:{name}@house.example")
        assert refusal(stranger)[0] == 401
    assert house.rooms == []


def test_account_enters_a_room_and_is_known_by_its_name() -> None:
    house = House()
    house.directory.add_room("daily")
    alice = house.member("alice")
    alice.call("sip:daily@house.example")
    assert alice.side.has(CallAnswered)
    (person,) = house.live.people("daily")
    assert (person["uri"], person["role"], person["name"]) == ("sip:alice@house.example", "host", "Alice")


def test_wrong_password_is_challenged_again_and_locked_out_after_ten() -> None:
    house = House()
    house.directory.add_account("alice", "right-password")
    for _ in range(11):
        phone = house.phone("alice", "wrong")
        phone.address = ("192.0.2.77", 5062)
        phone.side.address = phone.address
        phone.flow = type(phone.flow)("UDP", phone.address, phone.flow.remote)
        phone.call("sip:echo@house.example")
        house.phones.remove(phone)
        status, reason = refusal(phone)
    assert (status, reason) == (403, "too many wrong passwords; try again in ten minutes")


def test_account_unknown_room_is_404_in_words() -> None:
    house = House()
    alice = house.member("alice")
    alice.call("sip:nothing@house.example")
    assert refusal(alice) == (404, "there is no room called nothing")


def test_room_with_a_pin_lets_guests_in_without_a_challenge() -> None:
    house = House()
    house.directory.add_room("daily", pin="123456")
    guest = house.phone("guest")
    guest.call("sip:daily.123456@house.example")
    assert guest.side.summary().count("INVITE") == 1
    assert guest.side.has(CallAnswered)


def test_wrong_pin_is_refused_and_locked_out() -> None:
    house = House()
    house.directory.add_room("daily", pin="123456")
    guest = house.phone("guest")
    answers = []
    for number in range(12):
        guest.call(f"sip:daily.{number:06}@house.example")
        answers.append(refusal(guest))
    assert answers[0] == (403, "wrong PIN")
    assert answers[-1] == (403, "too many wrong PINs; try again in ten minutes")
    guest.call("sip:daily.123456@house.example")
    assert refusal(guest)[0] == 403


def test_a_guest_can_not_come_in_under_the_name_of_an_account() -> None:
    house = House(is_open=True)
    house.directory.add_room("daily", pin="123456")
    house.directory.add_account("alice", "secret")
    impostor = house.phone("alice")
    impostor.call("sip:daily.123456@house.example")
    assert refusal(impostor)[0] == 401


def test_an_account_can_not_speak_for_another() -> None:
    house = House()
    house.directory.add_account("bob", "secret-of-bob")
    alice = house.member("alice")
    alice.aor = type(alice.aor)(Uri("sip", "bob", "house.example"))
    alice.call("sip:echo@house.example")
    assert refusal(alice) == (403, "that name belongs to another account")


def test_factory_makes_a_room_whose_address_is_in_the_contact() -> None:
    house = House()
    alice, bob = house.member("alice"), house.member("bob")
    alice.call("sip:conference@house.example")
    room = alice.side.take(CallAnswered).response.contacts[0].uri
    assert room.user in house.switchboard.foci
    bob.call(f"sip:{room.user}@house.example")
    assert [person["role"] for person in house.live.people(room.user or "")] == ["host", "attendee"]


def test_services_answer_and_give_back_what_they_held() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    for name, kind in (("echo", "echo"), ("tone", "tone"), ("music", "music")):
        call = alice.call(f"sip:{name}@house.example")
        assert call.is_up
        assert house.rooms[-1].kind == kind
        call.hang_up(house.time)
        house.run(0.1)
        assert house.rooms[-1].is_closed
        assert all(media.is_released for media in house.rooms[-1].legs.values())


def test_full_server_answers_503_with_retry_after() -> None:
    house = House(is_open=True, limits=Limits(max_calls=1))
    first, second = house.phone("first"), house.phone("second")
    call = first.call("sip:daily@house.example")
    second.call("sip:daily@house.example")
    assert refusal(second)[0] == 503
    call.hang_up(house.time)
    house.run(0.1)
    second.call("sip:daily@house.example")
    assert second.side.has(CallAnswered)


def test_no_media_process_means_503() -> None:
    house = House(is_open=True)
    house.refuses_media = True
    alice = house.phone("alice")
    alice.call("sip:daily@house.example")
    assert refusal(alice)[0] == 503
    assert house.switchboard.foci == {}


def test_a_call_can_be_ended_after_the_longest_time() -> None:
    house = House(is_open=True, limits=Limits(max_call_s=60))
    alice = house.phone("alice")
    alice.call("sip:daily@house.example")
    house.run(59.0)
    assert not alice.side.has(CallTerminated)
    house.run(2.0)
    assert refusal(alice)[1] == "the longest time for a call is over"


def test_a_call_that_is_over_is_not_kept_for_its_longest_time() -> None:
    house = House(is_open=True, limits=Limits(max_call_s=3600))
    alice, bob = house.phone("alice"), house.phone("bob")
    first = alice.call("sip:daily@house.example")
    bob.call("sip:daily@house.example")
    (theirs,) = [weakref.ref(leg.call) for leg in house.switchboard.legs() if leg.identity.display_name == "Alice"]
    for _ in range(50):
        first.hang_up(house.time)
        house.run(40.0)
        first = alice.call("sip:daily@house.example")
    gc.collect()
    assert theirs() is None
    assert house.waiting("_end_longest") == 1
    house.run(1700.0)
    assert refusal(bob)[1] == "the longest time for a call is over"


def test_a_call_that_is_refused_for_the_limit_gives_no_place_back() -> None:
    house = House(is_open=True, limits=Limits(max_calls_per_source=2))
    calls = [house.phone("alice").call("sip:daily@house.example") for _ in range(2)]
    phone = house.phones[0]
    calls.append(phone.call("sip:daily@house.example"))
    for _ in range(3):
        phone.call("sip:daily@house.example")
        assert refusal(phone)[0] == 503
    calls[0].hang_up(house.time)
    house.run(0.1)
    assert phone.call("sip:daily@house.example").is_up


def test_subscription_of_a_stranger_is_challenged() -> None:
    house = House(is_open=True)
    house.phone("alice").call("sip:daily@house.example")
    stranger = house.phone("stranger")
    stranger.subscribe("sip:daily@house.example")
    assert stranger.notified() == []
    assert stranger.side.take(SubscriptionTerminated).reason.startswith("401")


def test_unknown_event_package_is_489() -> None:
    house = House()
    alice = house.member("alice")
    house.directory.add_room("daily")
    alice.call("sip:daily@house.example")
    subscription = alice.subscribe("sip:daily@house.example", package="presence")
    assert not subscription.is_active


def test_options_is_answered_and_other_requests_are_not_taken() -> None:
    house = House()
    alice = house.member("alice")
    number = alice.request("OPTIONS", "sip:house.example")
    answer = alice.side.take(ResponseReceived)
    assert (answer.request_id, answer.response.status) == (number, 200)
    alice.request("MESSAGE", "sip:bob@house.example")
    assert alice.side.take(ResponseReceived).response.status == 403


def register(phone: Phone, expires_s: int = 600) -> None:
    """Send a REGISTER."""
    phone.side.endpoint.register(Uri("sip", None, "house.example"), aor=phone.aor, contact=phone.contact, flow=phone.flow,
                                 now=phone.house.time, credentials=phone.credentials, expires_s=expires_s)
    phone.house.run(0.1)


def test_registration_is_kept_refreshed_and_runs_out() -> None:
    house = House()
    alice = house.member("alice")
    register(alice)
    assert alice.side.take(Registered).expires_s == 600
    (binding,) = house.live.registrations()
    assert (binding["aor"], binding["contact"]) == ("alice", "sip:alice@192.0.2.1:5062")
    house.run(2000.0)
    assert len(house.live.registrations()) == 1
    house.phones.remove(alice)
    house.run(2000.0)
    assert house.live.registrations() == []


def test_too_brief_registration_is_told_the_least_time() -> None:
    house = House()
    alice = house.member("alice")
    register(alice, expires_s=10)
    assert alice.side.take(Registered).expires_s == 60


def test_registering_another_account_is_refused() -> None:
    house = House()
    house.directory.add_account("bob", "secret-of-bob")
    alice = house.member("alice")
    alice.aor = type(alice.aor)(Uri("sip", "bob", "house.example"))
    register(alice)
    assert alice.side.take(RegistrationFailed).status == 403
    assert house.live.registrations() == []


def test_unknown_user_is_challenged_like_a_known_one() -> None:
    house = House()
    for name in ("alice", "nobody"):
        if name == "alice":
            house.directory.add_account("alice", "right")
        phone = house.phone(name, "wrong")
        register(phone)
        assert phone.side.take(RegistrationFailed).status == 401


def test_sha256_account_is_challenged_with_sha256_alone() -> None:
    house = House()
    house.directory.add_account("alice", "secret", digest="sha256")
    phone = house.phone("alice", "secret")
    register(phone)
    assert phone.side.has(Registered)
    (request,) = [r for r in phone.side.requests("REGISTER") if "Authorization" in r.headers][:1]
    assert "algorithm=SHA-256" in (request.headers.get("Authorization") or "")


def test_removed_account_loses_bindings_and_calls() -> None:
    house = House()
    alice = house.member("alice")
    register(alice)
    alice.call("sip:echo@house.example")
    house.directory.remove_account("alice")
    house.live.account_removed("alice")
    house.run(0.1)
    assert house.live.registrations() == []
    assert refusal(alice)[1] == "this account is gone"


def test_attempts_are_forgotten_after_the_window_and_bounded() -> None:
    attempts = Attempts(most=2, window_s=10.0)
    attempts.fail("a", 0.0)
    assert not attempts.is_locked_out("a", 0.0)
    attempts.fail("a", 1.0)
    assert attempts.is_locked_out("a", 5.0)
    assert not attempts.is_locked_out("a", 11.0)
    for number in range(20000):
        attempts.fail(str(number), 20.0)
    assert len(attempts._failures) <= 10000


def test_held_offer_answers_with_what_the_phone_can_take() -> None:
    house = House(is_open=True)
    alice = house.phone("alice")
    alice.call("sip:daily@house.example", sdp("192.0.2.1", direction="inactive"))
    answer = alice.side.take(CallAnswered).answer
    assert answer is not None and b"a=inactive" in answer


def test_room_that_another_server_holds_is_redirected_to() -> None:
    house = House(is_open=True)

    class Elsewhere:
        def claim(self, room: str) -> str | None:
            return "192.0.2.200"

        def release(self, room: str) -> None:
            raise AssertionError("nothing was ours")

    house.switchboard._placement = Elsewhere()
    alice = house.phone("alice")
    alice.call("sip:daily@house.example")
    assert refusal(alice)[0] == 302
    assert house.rooms == []


def test_placement_gets_back_what_was_closed() -> None:
    house = House(is_open=True)
    placement = MemoryPlacement()
    house.switchboard._placement = placement
    house.phone("alice").call("sip:daily@house.example")
    assert placement.rooms == {"daily"}
    house.live.close_room("daily", "over")
    house.run(2.0)
    assert placement.rooms == set()
