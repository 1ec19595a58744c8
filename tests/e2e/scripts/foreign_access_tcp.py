"""The client side that shares no code with ours: one WebSocket per TCP connection, by TUNNEL_PROTOCOL.md, A1 to A5.

It says on standard output where it listens, and why an upgrade failed, which the other tool would not show.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import os
import ssl
import struct

MAX_MESSAGE, MAX_FRAME = 16384, 4096
MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def say(*words):
    print(*words, flush=True)


def mask(payload, key):
    size = len(payload)
    key = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def framed(opcode, payload, is_last=True):
    size = len(payload)
    head = bytes([opcode | (0x80 if is_last else 0)])
    head += bytes([0x80 | size]) if size < 126 else struct.pack(">BH", 0xFE, size)
    key = os.urandom(4)
    return head + key + mask(payload, key)


def message(payload):
    """One binary message, in frames of at most 4096 bytes; all but the first continue it."""
    pieces = [payload[at:at + MAX_FRAME] for at in range(0, len(payload), MAX_FRAME)]
    return b"".join(
        framed(0 if number else 2, piece, number == len(pieces) - 1) for number, piece in enumerate(pieces)
    )


class Refused(Exception):
    pass


async def upgrade(options, tls):
    host, port = (options.dial or f"{options.hostname}:443").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=tls, server_hostname=options.hostname)
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [
        f"GET {options.path} HTTP/1.1",
        f"Host: {options.hostname}",
        "User-Agent: foreign/1",
        f"Cf-Access-Client-Id: {options.id}",
        f"Cf-Access-Client-Secret: {os.environ.get('TUNNEL_SERVICE_TOKEN_SECRET', '')}",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Upgrade: websocket",
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.split("\r\n")
        status = first.split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest if line)}
        accept = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()
        is_right = (
            status == "101"
            and headers.get("upgrade", "").lower() == "websocket"
            and headers.get("connection", "").lower() == "upgrade"
            and headers.get("sec-websocket-accept") == accept
        )
        if not is_right:
            raise Refused(f"websocket: bad handshake {status}")
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def outward(local, writer):
    """One read is one message. The end of the local side is no Close frame: the connection closes."""
    while data := await local.read(MAX_MESSAGE):
        writer.write(message(data))
        await writer.drain()


async def inward(reader, writer, local):
    kept = b""
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await reader.readexactly(8))
        if second & 0x80:
            say("problem: a server masks")
            return
        payload = await reader.readexactly(size)
        opcode, is_last = first & 0x0F, bool(first & 0x80)
        if opcode == 8:
            writer.write(framed(8, payload[:2]))
            return
        if opcode == 9:
            say("ping")
            writer.write(framed(10, payload))
        elif opcode != 10:
            # A message is whole before it is passed on, text or not.
            kept += payload
            if is_last:
                local.write(kept)
                await local.drain()
                kept = b""


async def carry(options, tls, local_reader, local_writer):
    try:
        reader, writer = await upgrade(options, tls)
    except (OSError, Refused, asyncio.IncompleteReadError) as error:
        say("failed to connect to origin:", error)
        local_writer.close()
        return
    ways = [asyncio.ensure_future(way) for way in (outward(local_reader, writer), inward(reader, writer, local_writer))]
    # No half close: the first end ends both.
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)
    for end in (local_writer, writer):
        end.close()
        with contextlib.suppress(OSError):
            await end.wait_closed()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hostname", required=True)
    parser.add_argument("--path", default="/")
    parser.add_argument("--id", required=True)
    parser.add_argument("--dial", help="HOST:PORT to dial; the certificate is still that of the hostname")
    options = parser.parse_args()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.load_verify_locations(os.environ["SSL_CERT_FILE"])
    server = await asyncio.start_server(lambda reader, writer: carry(options, tls, reader, writer), "127.0.0.1", 0)
    say("listening on", "{}:{}".format(*server.sockets[0].getsockname()))
    await server.serve_forever()


asyncio.run(main())
