# cython: language_level=3, boundscheck=False, wraparound=False
"""Shells of the kernel's two calls in native code, to prove that the seam allows them (RFC 3550 §7.1; not installed).

`room_tick` does what `rtp.kernel.reference` does between the sockets for one tick: drains descriptors, sums int16 frames, takes
each leg's own away, saturates. `forwarder_drain` moves packets from one descriptor to others. Both hold no Python object and
run without the interpreter lock. No policy is in here: who is heard is decided by the caller and handed in.
"""

from libc.stdint cimport int16_t, int32_t, uint8_t
from libc.string cimport memset

cdef extern from "<sys/types.h>" nogil:
    ctypedef long ssize_t

cdef extern from "<sys/socket.h>" nogil:
    ssize_t recv(int fd, void *buffer, size_t size, int flags)
    ssize_t send(int fd, const void *buffer, size_t size, int flags)
    int MSG_DONTWAIT

DEF SAMPLES = 960
DEF MAX_PACKET = 2048
DEF MAX_ROUNDS = 64


cdef inline int16_t saturate(int32_t value) noexcept nogil:
    if value > 32767:
        return 32767
    if value < -32768:
        return -32768
    return <int16_t>value


cdef void mix(const int16_t *frames, const uint8_t *is_heard, int16_t *out, int32_t *total, Py_ssize_t legs) noexcept nogil:
    cdef Py_ssize_t leg, i
    memset(total, 0, SAMPLES * sizeof(int32_t))
    for leg in range(legs):
        if is_heard[leg]:
            for i in range(SAMPLES):
                total[i] += frames[leg * SAMPLES + i]
    for leg in range(legs):
        for i in range(SAMPLES):
            out[leg * SAMPLES + i] = saturate(total[i] - frames[leg * SAMPLES + i] if is_heard[leg] else total[i])


cdef Py_ssize_t forward(int source, const int *targets, Py_ssize_t count) noexcept nogil:
    cdef uint8_t packet[MAX_PACKET]
    cdef ssize_t size
    cdef Py_ssize_t moved = 0, target
    cdef int round_
    for round_ in range(MAX_ROUNDS):
        size = recv(source, packet, MAX_PACKET, MSG_DONTWAIT)
        if size < 0:
            break
        for target in range(count):
            moved += send(targets[target], packet, <size_t>size, MSG_DONTWAIT) == size
    return moved


def room_tick(const int16_t[:, ::1] frames, const uint8_t[::1] is_heard, int16_t[:, ::1] out):
    """See kernel.pyi."""
    cdef int32_t total[SAMPLES]
    if frames.shape[1] != SAMPLES or out.shape[1] != SAMPLES or out.shape[0] != frames.shape[0] \
            or is_heard.shape[0] != frames.shape[0]:
        raise ValueError("frames and out have the shape (legs, 960), is_heard (legs,)")
    if frames.shape[0]:
        with nogil:
            mix(&frames[0, 0], &is_heard[0], &out[0, 0], total, frames.shape[0])


def forwarder_drain(int source, const int[::1] targets):
    """See kernel.pyi."""
    cdef Py_ssize_t moved
    if not targets.shape[0]:
        return 0
    with nogil:
        moved = forward(source, &targets[0], targets.shape[0])
    return moved
