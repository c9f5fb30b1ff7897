"""A WebSocket server for a test of the gateway.

It sends COUNT messages "INDEX:CRC32:FILLING", a third of them fragmented, with pings in
between, and receives the acks A1 to ACOUNT. It prints its port and, at the end, a report,
each as a line of JSON.
"""

import asyncio
import json
import random
import ssl
import sys
import zlib

import websockets

COUNT, LONGEST = 4000, 300 << 10
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 äöüß€漢字🙂"


def message(dice, index):
    size = int(2 ** dice.uniform(0, 18.2))
    filling = "".join(dice.choices(ALPHABET, k=min(size, 4096)))
    filling = (filling * (size // len(filling) + 1))[:size]
    while len(filling.encode()) > LONGEST - 40:
        filling = filling[: len(filling) // 2]
    return f"{index}:{zlib.crc32(filling.encode()):08x}:{filling}"


def fragments(dice, text):
    """Splits text between characters: python3-websockets encodes each piece separately."""
    while text:
        cut = dice.randint(1, max(1, len(text)))
        yield text[:cut]
        text = text[cut:]


class Report:
    def __init__(self):
        self.acks, self.odd, self.bytes, self.fragmented, self.pongs = {}, 0, 0, 0, 0
        self.code, self.reason = None, ""


async def receive(ws, report):
    async for ack in ws:
        if isinstance(ack, str) and ack[:1] == "A" and ack[1:].isdigit():
            number = int(ack[1:])
            report.acks[number] = report.acks.get(number, 0) + 1
        else:
            report.odd += 1
        if len(report.acks) == COUNT:
            return


async def serve(ws, report, done):
    dice = random.Random(1)
    receiving = asyncio.create_task(receive(ws, report))
    pongs = []
    for index in range(COUNT):
        text = message(dice, index)
        report.bytes += len(text.encode())
        if index % 3 == 0:
            report.fragmented += 1

            async def pieces(text=text):
                for n, piece in enumerate(fragments(dice, text)):
                    if n % 5 == 2:
                        pongs.append(await ws.ping())
                    yield piece

            await ws.send(pieces())
        else:
            await ws.send(text)
        if index % 10 == 0:
            pongs.append(await ws.ping())
    await receiving
    for pong in pongs:
        await asyncio.wait_for(pong, 10)
        report.pongs += 1
    await ws.close(1000, "all acknowledged")
    report.code, report.reason = ws.close_code, ws.close_reason
    done.set()


async def main():
    context = None
    if len(sys.argv) == 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[1], sys.argv[2])
    report, done = Report(), asyncio.Event()
    async with websockets.serve(
        lambda ws: serve(ws, report, done), "127.0.0.1", 0, ssl=context, ping_interval=None, max_size=1 << 20
    ) as server:
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        await done.wait()
    print(
        json.dumps(
            {
                "acks": len(report.acks),
                "doubled": sum(n > 1 for n in report.acks.values()),
                "unknown": sum(not 1 <= n <= COUNT for n in report.acks),
                "odd": report.odd,
                "bytes": report.bytes,
                "fragmented": report.fragmented,
                "pongs": report.pongs,
                "code": report.code,
            }
        ),
        flush=True,
    )


asyncio.run(main())
