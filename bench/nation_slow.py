"""Clients that are slow in eight ways, a thousand of each at once: when each is dropped, and what others notice of it."""

import asyncio
import random
import resource
import socket
import time

from nation_size import percentile, resident
from place import Load
from service import say

EACH = 1_000
# Beside the limit itself: the service looks at its connections once a second, and 8,000 are not opened at once.
MARGIN = 3.0
HEAD = b"POST /v1/children/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccess-Reason: direct-service\r\n"
SMALL = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def silent(link):
    return await link.dropped()


async def slow_head(link):
    return await link.dripped(HEAD + b"X-Slow: " + b"x" * 200)


async def no_body(link):
    await link.send(HEAD + b"Content-Length: 100\r\n\r\n")
    return await link.dropped()


async def slow_body(link):
    await link.send(HEAD + b"Content-Length: 200\r\n\r\n")
    return await link.dripped(b" " * 199)


async def slow_chunks(link):
    await link.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    return await link.dripped(b"1\r\n \r\n" * 200, 6)


async def idle(link):
    await link.send(SMALL)
    await link.read()
    return await link.dropped()


async def slow_second_head(link):
    await link.send(SMALL)
    await link.read()
    link.since = time.monotonic()
    return await link.dripped(HEAD + b"X-Slow: " + b"x" * 200)


async def never_reads(link):
    await link.send(LARGE)
    await asyncio.sleep(30 + MARGIN)
    # What the kernels hold between us is all that comes of it. One that was still held would be for 15 more seconds.
    return None if await link.dropped(at_most=10.0) is None else 30 + MARGIN


# How each is slow, and for how many seconds it may be (security rule H-2).
KINDS = {"silent": (silent, 5), "slow head": (slow_head, 10), "no body": (no_body, 15), "slow body": (slow_body, 15),
         "slow chunks": (slow_chunks, 15), "idle": (idle, 15), "never reads": (never_reads, 30 + MARGIN), "slow second head": (slow_second_head, 10)}


class Link:
    """A connection, and since when it is."""

    def __init__(self, port, small):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port, self.loop = port, asyncio.get_running_loop()

    async def open(self):
        await self.loop.sock_connect(self.socket, ("127.0.0.1", self.port))
        self.since = time.monotonic()

    async def send(self, data):
        await self.loop.sock_sendall(self.socket, data)

    async def read(self):
        return await self.loop.sock_recv(self.socket, 65536)

    async def dropped(self, at_most=60.0):
        """The seconds until the other side has ended it; none if it has not."""
        try:
            async with asyncio.timeout(at_most):
                while await self.read():
                    pass
        except TimeoutError:
            return None
        except OSError:
            pass
        return time.monotonic() - self.since

    async def dripped(self, data, piece=1):
        async def drip():
            for at in range(0, len(data), piece):
                await asyncio.sleep(random.uniform(0.5, 1.5))
                await self.send(data[at:at + piece])

        dripping = asyncio.create_task(drip())
        try:
            return await self.dropped()
        finally:
            dripping.cancel()
            await asyncio.gather(dripping, return_exceptions=True)


async def one(kind, port, told, gate):
    link = Link(port, kind == "never reads")
    try:
        async with gate:
            await link.open()
        took = await KINDS[kind][0](link)
        told[kind].append(took)
    except OSError:
        # Ended in the midst of what it sent.
        told[kind].append(time.monotonic() - link.since)
    finally:
        link.socket.close()


async def crowd(port, kinds, each):
    told, gate = {kind: [] for kind in kinds}, asyncio.Semaphore(20)
    await asyncio.gather(*(one(kind, port, told, gate) for _ in range(each) for kind in kinds))
    return told


def slow(site, each=EACH):
    """Four kinds at once, then the others, since all would be every connection that there may be; and somebody at work beside them."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    numbers = site.numbers(2000)
    with site.serving(1):
        token, lines = site.crew.token("doctor"), [site.a.line() for _ in range(8)]
        ask = lambda n: lines[n].ask("GET", "/v1/children/" + random.choice(numbers), token)
        before = resident(site.a.process.pid)
        global HEAD
        HEAD += b"Authorization: Bearer " + token.encode() + b"\r\n"
        with Load(20, ask, 8) as load:
            time.sleep(2)
            kinds, told, held = list(KINDS), {}, before
            for wave in (kinds[::2], kinds[1::2]):
                told |= asyncio.run(crowd(site.a.port, wave, each))
                held = max(held, resident(site.a.process.pid))
    late = 0
    for kind, took in told.items():
        limit = KINDS[kind][1] + MARGIN
        bad = sum(one is None or one > limit for one in took)
        late += bad
        say(f"  {kind:<18}{len(took):>6} clients, the last dropped after {max((one for one in took if one is not None), default=0):>5.1f} s, {bad} late")
    failed = sum(status != 200 for _, status, _ in load.asked)
    return {"slow_clients": sum(map(len, told.values())), "slow_kinds": len(KINDS), "slow_late": late, "slow_others_failed": failed,
            "slow_others_p99_ms": percentile([took for *_, took in load.asked], 99), "slow_rss_more_mb": round(held - before)}
