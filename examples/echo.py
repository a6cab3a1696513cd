"""Answers calls and plays back what was said: `python -m examples.echo [ADDRESS]`, then call the URI that it prints."""

import asyncio
import sys

from confero import Call, Phone


async def echo(call: Call) -> None:
    await call.answer()
    async for frame in call.audio():
        call.play(frame)


async def main(address: str = "") -> None:
    async with Phone(listen=address) as phone, asyncio.TaskGroup() as calls:
        print("call", phone.addresses[0], flush=True)
        while True:
            calls.create_task(echo(await phone.next_call()))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
