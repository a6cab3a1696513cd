"""Joins a room and shows how loud it is: `python -m examples.listen sip:ROOM@HOST [SECONDS]`."""

import asyncio
import sys

import numpy as np

from confero import Phone


async def main(room: str, seconds: str = "10") -> None:
    async with Phone(display_name="Listener") as phone:
        call = await phone.call(room)
        frames = 0
        async for frame in call.audio():        # int16, 960 samples: 20 ms at 48 kHz
            frames += 1
            if frames % 50 == 0:
                level = 20 * np.log10(max(1.0, np.sqrt(np.mean(frame.astype(float) ** 2))) / 32768)
                print(f"{frames // 50:3} s {level:6.1f} dBFS  {', '.join(member.name for member in call.roster)}", flush=True)
            if frames >= 50 * float(seconds):
                break


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
