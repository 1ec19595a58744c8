"""A connector that shares no code with ours: hyper-h2 and C++ Cap'n Proto, by the facts in TUNNEL_PROTOCOL.md, B1 to B8.

It says on standard output what happens to it, one line each. A line that begins with `problem:` names something that the
edge must not do to a connector; a scenario that sees one has failed.
"""

import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import os
import random
import re
import signal
import socket
import ssl
import struct
import sys
import uuid

import capnp
import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

SERVER_NAME = "h2.cftunnel.com"
UPGRADE = "cf-cloudflared-proxy-connection-upgrade"
META = "cf-cloudflared-response-meta"
SERIALISED = "cf-cloudflared-response-headers"
RAW = "cf-cloudflared-proxy-src"
FROM_ORIGIN, FROM_US = '{"src":"origin"}', '{"src":"cloudflared"}'
MAX_MESSAGE = 16384
RPC_TIMEOUT = 5
# What the Go library says at its end and the C++ one does not: Abort, a struct of one word and two pointers, "rpc: shutdown".
ABORT = struct.pack("<12I", 0, 8, 0, 0x10001, 1, 0, 0, 0x20001, 0, 0, 5, 0x72) + bytes(8) + b"rpc: shutdown\0\0\0"
NO_PRIORITIES = 9
SETTINGS = {
    h2.settings.SettingCodes.MAX_FRAME_SIZE: 1048576,
    h2.settings.SettingCodes.HEADER_TABLE_SIZE: 4096,
    h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1048576,
    h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 1048896,
    NO_PRIORITIES: 1,
}
# What an edge keeps to itself.
FORBIDDEN = {
    "host", "connection", "upgrade", "transfer-encoding", "cf-access-client-id", "cf-access-client-secret",
    "cf-access-jump-destination", "cf-cloudflared-request-headers", RAW, "cookie", "authorization",
}
schema = capnp.load(os.path.join(os.path.dirname(os.path.abspath(__file__)), "registration.capnp"))


def say(*words):
    print(*words, flush=True)


class Refused(Exception):
    """The edge answered the registration with an error."""


class Ingress:
    """Where hostnames lead: the same for all connections of a process."""

    def __init__(self, rules):
        self.version, self.rules = -1, rules

    def update(self, body):
        """Takes a pushed configuration; None when it is not understood."""
        try:
            pushed = json.loads(body)
            version, rules = pushed["version"], pushed["config"]["ingress"]
        except (ValueError, KeyError, TypeError):
            return None
        error = None
        if version > self.version:
            if rules and (rules[-1].get("hostname") or rules[-1].get("path")):
                error = {}
            else:
                self.version, self.rules = version, rules
                say("rules", version, *(f"{rule.get('hostname', '*')}={rule['service']}" for rule in rules))
        return {"lastAppliedVersion": self.version, "err": error}

    def find(self, authority, path):
        name = authority.rsplit(":", 1)[0] if re.search(r":\d+$", authority) else authority
        for rule in self.rules:
            wanted = rule.get("hostname", "")
            fits = wanted in ("", "*", name) or (wanted.startswith("*.") and name.endswith(wanted[1:]))
            if fits and re.search(rule.get("path", ""), path):
                return rule["service"]
        return None


class Stream:
    """One HTTP/2 stream: what came and was not taken yet, and whether the edge is done with it."""

    def __init__(self, connection, number, headers):
        self.connection, self.number, self.headers = connection, number, headers
        self.came, self.is_reset = asyncio.Queue(), False

    async def read(self):
        """The next piece; empty at the end. Taking it opens the edge's window again."""
        if self.is_reset:
            return b""
        data, size = await self.came.get()
        if data is None:
            self.came.put_nowait((None, 0))
            return b""
        self.connection.taken(self.number, size)
        return data

    def ended(self, is_reset=False):
        self.is_reset = self.is_reset or is_reset
        self.came.put_nowait((None, 0))

    async def respond(self, status, *headers, end=False):
        self.connection.http.send_headers(self.number, [(":status", str(status)), *headers], end_stream=end)
        await self.connection.flush()

    async def send(self, data, end=False):
        await self.connection.send(self, data, end)


class Connection:
    """One of the connections to the edge."""

    def __init__(self, process, index):
        self.process, self.index = process, index
        self.streams, self.tasks = {}, set()
        self.window = asyncio.Event()
        self.registered, self.rejected, self.leaving = asyncio.Event(), None, False
        self.active = 0

    async def run(self, attempts):
        """Until the edge closes. Raises what a registration failed with."""
        options, self.attempts = self.process.options, attempts
        host, port = options.edge.rsplit(":", 1)
        self.reader, self.writer = await asyncio.wait_for(
            asyncio.open_connection(host, int(port), ssl=self.process.tls, server_hostname=SERVER_NAME), 15
        )
        tls = self.writer.get_extra_info("ssl_object")
        if tls.selected_alpn_protocol() is not None:
            say("problem: the edge chose an ALPN protocol that was not offered")
        say("tls", self.index, tls.version(), tls.cipher()[0])
        config = h2.config.H2Configuration(client_side=False, header_encoding="utf-8", validate_inbound_headers=True)
        self.http = h2.connection.H2Connection(config)
        values = {**SETTINGS, h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: options.max_streams}
        self.http.local_settings = h2.settings.Settings(client=False, initial_values=values)
        self.http.max_inbound_frame_size = values[h2.settings.SettingCodes.MAX_FRAME_SIZE]
        self.http.initiate_connection()
        self.http.increment_flow_control_window(983041)
        try:
            await self.flush()
            while data := await self.reader.read(262144):
                for event in self.http.receive_data(data):
                    self.heard(event)
                await self.flush()
        except h2.exceptions.ProtocolError as error:
            say(f"problem: the edge broke HTTP/2: {error!r}")
        except (OSError, asyncio.IncompleteReadError) as error:
            say("broken", self.index, repr(error))
        finally:
            say("closed", self.index)
            for stream in self.streams.values():
                stream.ended(is_reset=True)
            self.window.set()
            for task in list(self.tasks):
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
            self.writer.close()
            with contextlib.suppress(OSError):
                await self.writer.wait_closed()
        if self.rejected:
            raise self.rejected

    def heard(self, event):
        if isinstance(event, h2.events.RequestReceived):
            stream = self.streams[event.stream_id] = Stream(self, event.stream_id, event.headers)
            self.start(self.answer(stream))
        elif isinstance(event, h2.events.DataReceived):
            stream = self.streams.get(event.stream_id)
            if stream:
                stream.came.put_nowait((event.data, event.flow_controlled_length))
            else:
                self.taken(event.stream_id, event.flow_controlled_length)
        elif isinstance(event, h2.events.StreamEnded):
            if stream := self.streams.get(event.stream_id):
                stream.ended()
        elif isinstance(event, h2.events.StreamReset):
            if stream := self.streams.get(event.stream_id):
                stream.ended(is_reset=True)
                self.window.set()
        elif isinstance(event, (h2.events.WindowUpdated, h2.events.RemoteSettingsChanged)):
            self.window.set()
        elif isinstance(event, h2.events.PingReceived):
            say("ping", self.index)
        # An edge that says goodbye is not heard (B8); hyper-h2 itself refuses to go on after it.
        elif isinstance(event, h2.events.ConnectionTerminated):
            say("goaway", self.index)
            self.http.state_machine.state = h2.connection.ConnectionState.SERVER_OPEN

    def start(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.finished)
        return task

    def finished(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception():
            say(f"problem: {task.exception()!r}")

    async def flush(self):
        data = self.http.data_to_send()
        if data:
            self.writer.write(data)
            await self.writer.drain()

    def taken(self, number, size):
        if size:
            with contextlib.suppress(h2.exceptions.ProtocolError):
                self.http.acknowledge_received_data(size, number)
                self.writer.write(self.http.data_to_send())

    async def send(self, stream, data, end):
        while data or end:
            if stream.is_reset:
                raise ConnectionResetError
            self.window.clear()
            room = self.http.local_flow_control_window(stream.number) if data else 0
            if data and room <= 0:
                await self.window.wait()
                continue
            piece = data[: min(room, self.http.max_outbound_frame_size)]
            data = data[len(piece):]
            self.http.send_data(stream.number, piece, end_stream=end and not data)
            end = end and bool(data)
            await self.flush()

    def reset(self, stream, code=0):
        with contextlib.suppress(h2.exceptions.ProtocolError):
            self.http.reset_stream(stream.number, code)
            self.writer.write(self.http.data_to_send())

    async def answer(self, stream):
        """Does what a stream is for; the order of the questions is that of B2."""
        headers = dict(stream.headers)
        kind = headers.get(UPGRADE)
        try:
            if kind == "update-configuration":
                await self.configured(stream)
            elif kind == "websocket":
                await self.carry(stream, headers)
            elif headers.get(RAW):
                say("problem: a raw stream to", headers.get(":authority"))
                await stream.respond(502, (META, FROM_US), end=True)
            elif kind == "control-stream":
                await self.control(stream)
            else:
                say("problem: a request without an upgrade")
                await stream.respond(502, (META, FROM_US), end=True)
        except (h2.exceptions.ProtocolError, OSError) as error:
            say("stream broke", stream.number, repr(error))
        finally:
            self.streams.pop(stream.number, None)
            while not stream.came.empty():
                self.taken(stream.number, stream.came.get_nowait()[1])

    # The control stream (B3).

    async def control(self, stream):
        await stream.respond(200, ("content-type", "application/octet-stream"))
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=theirs)

        async def to_edge():
            with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
                while data := await reader.read(65536):
                    await stream.send(data)

        async def from_edge():
            while data := await stream.read():
                writer.write(data)
            writer.close()

        self.start(from_edge())
        outward = self.start(to_edge())
        wire = await capnp.AsyncIoStream.create_connection(sock=ours)
        client = capnp.TwoPartyClient(wire)
        # Not awaited: the call goes out before there is an answer.
        server = client.bootstrap().cast_as(schema.RegistrationServer)
        try:
            await self.register(server)
        except Refused as refused:
            self.rejected = refused
            say("rejected", self.index, refused)
        except (capnp.KjException, asyncio.TimeoutError) as error:
            self.rejected = error
            say("registration failed", self.index, repr(error))
        else:
            self.registered.set()
            await self.process.stopping.wait()
            await self.leave(server)
        # The library says Finish and Release in its own time; then come the last word and the end, but the connection stays.
        del server
        await asyncio.sleep(0.05)
        client.close()
        wire.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(outward, 1)
        with contextlib.suppress(h2.exceptions.ProtocolError, OSError):
            await stream.send(ABORT, end=True)
        self.reset(stream)
        if self.rejected:
            # The edge must close by itself (B3, 4).
            await asyncio.sleep(15)
            say("problem: the edge did not close after a failed registration")
            self.writer.transport.abort()

    async def register(self, server):
        options = self.process.options
        token = self.process.token
        features = ["allow_remote_config", "serialized_headers", "support_datagram_v2", "support_quic_eof", "management_logs"]
        random.shuffle(features)
        asked = server.registerConnection(
            auth={"accountTag": token["a"], "tunnelSecret": base64.b64decode(token["s"])},
            tunnelId=uuid.UUID(token["t"]).bytes,
            connIndex=self.index,
            options={
                "client": {
                    "clientId": self.process.id.bytes, "features": features, "version": "foreign", "arch": "linux_amd64",
                },
                "originLocalIp": bytes(10) + b"\xff\xff" + socket.inet_aton("127.0.0.1"),
                "replaceExisting": False,
                "compressionQuality": 0,
                "numPreviousAttempts": min(self.attempts, 255),
            },
        )
        result = (await asyncio.wait_for(asked, RPC_TIMEOUT)).result.result
        if result.which() == "error":
            raise Refused(result.error.cause)
        details = result.connectionDetails
        if len(details.uuid) != 16:
            say("problem: the connection's id has", len(details.uuid), "bytes")
        is_remote = details.tunnelIsRemotelyManaged
        say("registered", self.index, "remote" if is_remote else "local", details.locationName)
        if self.index == 0 and not is_remote:
            rules = [{**rule, "originRequest": {}} for rule in self.process.ingress.rules]
            config = {"__configuration_flags": {"protocol": "http2"}, "ingress": rules, "warp-routing": {}}
            await asyncio.wait_for(server.updateLocalConfiguration(config=json.dumps(config).encode()), RPC_TIMEOUT)
            say("told its rules", self.index)

    async def leave(self, server):
        self.leaving = True
        try:
            await asyncio.wait_for(server.unregisterConnection(), RPC_TIMEOUT)
            say("unregistered", self.index)
        except (capnp.KjException, asyncio.TimeoutError) as error:
            say(f"problem: no answer to a goodbye: {error!r}")

    # Configuration (B4).

    async def configured(self, stream):
        body = b""
        while data := await stream.read():
            body += data
        answer = self.process.ingress.update(body)
        if answer is None:
            say("problem: a configuration that is not understood:", body)
            await stream.respond(502, (META, FROM_US), end=True)
            return
        await stream.respond(200, ("content-type", "application/json"))
        await stream.send(json.dumps(answer).encode(), end=True)

    # A stream to a TCP service (B5).

    async def carry(self, stream, headers):
        if self.leaving:
            say("problem: a new stream after the connector has left")
        self.check(headers)
        service = self.process.ingress.find(headers[":authority"], headers[":path"])
        if service is None:
            await stream.respond(503, (META, FROM_US), end=True)
            return
        if service.startswith("http_status:"):
            await stream.respond(int(service.split(":")[1]), (META, FROM_ORIGIN), end=True)
            return
        host, port = service.split("://", 1)[1].rsplit(":", 1)
        try:
            origin = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 30)
        except (OSError, asyncio.TimeoutError):
            await stream.respond(502, (META, FROM_US), end=True)
            return
        accept = hashlib.sha1((headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        pairs = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-Websocket-Accept", base64.b64encode(accept).decode())]
        random.shuffle(pairs)
        unpadded = lambda text: base64.b64encode(text.encode()).decode().rstrip("=")
        serialised = ";".join(f"{unpadded(name)}:{unpadded(value)}" for name, value in pairs)
        self.active += 1
        try:
            await stream.respond(200, (META, FROM_ORIGIN), (SERIALISED, serialised))
            socket_ = WebSocket(stream, *origin)
            await socket_.run(self.process.options.ping_interval)
        finally:
            self.active -= 1
            origin[1].close()
        if not stream.is_reset:
            await stream.send(b"", end=True)

    def check(self, headers):
        for name in FORBIDDEN & headers.keys():
            say("problem: the edge sent the header", name)
        for name, value in ((":method", "GET"), (":scheme", "https"), ("sec-websocket-version", "13")):
            if headers.get(name) != value:
                say("problem:", name, "is", headers.get(name))
        if len(headers.get("cf-access-jwt-assertion", "").split(".")) != 3:
            say("problem: no assertion")


class WebSocket:
    """The server end of a WebSocket in a stream, and the TCP connection behind it."""

    def __init__(self, stream, reader, writer):
        self.stream, self.reader, self.writer = stream, reader, writer
        self.buffer, self.lock = bytearray(), asyncio.Lock()

    async def run(self, ping_interval):
        work = [asyncio.ensure_future(part) for part in (self.inward(), self.outward(), self.pings(ping_interval))]
        try:
            done, _rest = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                if part.exception() and not isinstance(part.exception(), (OSError, h2.exceptions.ProtocolError)):
                    raise part.exception()
        finally:
            for part in work:
                part.cancel()
            await asyncio.gather(*work, return_exceptions=True)

    async def outward(self):
        """Origin to edge: header and payload in DATA frames of their own, no Close at the end."""
        while data := await self.reader.read(MAX_MESSAGE):
            await self.frame(2, data)

    async def frame(self, opcode, payload):
        async with self.lock:
            size = len(payload)
            head = bytes([0x80 | opcode])
            head += bytes([size]) if size < 126 else struct.pack(">BH", 126, size)
            await self.stream.send(head)
            await self.stream.send(payload)

    async def pings(self, interval):
        while True:
            await asyncio.sleep(interval)
            await self.frame(9, b"")

    async def take(self, size):
        while len(self.buffer) < size:
            data = await self.stream.read()
            if not data:
                raise EOFError
            self.buffer += data
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    async def inward(self):
        """Edge to origin, until the edge ends the stream or breaks the rules of a client."""
        opcode, message = 0, b""
        try:
            while True:
                first, second = await self.take(2)
                size = second & 0x7F
                if size == 126:
                    (size,) = struct.unpack(">H", await self.take(2))
                elif size == 127:
                    (size,) = struct.unpack(">Q", await self.take(8))
                if not second & 0x80:
                    say("problem: a frame without a mask")
                    return
                mask = await self.take(4)
                payload = unmasked(await self.take(size), mask)
                kind, is_last = first & 0x0F, bool(first & 0x80)
                if kind == 8:
                    await self.frame(8, payload[:2])
                    return
                if kind == 9:
                    await self.frame(10, payload)
                elif kind == 10:
                    say("pong")
                else:
                    opcode = kind or opcode
                    message += payload
                    if is_last:
                        await self.deliver(opcode, message)
                        message = b""
        except EOFError:
            return

    async def deliver(self, opcode, message):
        if opcode != 2:
            say("problem: a text message, which is ignored")
            return
        if len(message) > MAX_MESSAGE:
            say("problem: a message of", len(message), "bytes, which is cut")
        self.writer.write(message[:MAX_MESSAGE])
        await self.writer.drain()


def unmasked(payload, mask):
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


class Process:
    """All connections of this connector."""

    def __init__(self, options):
        self.options, self.id = options, uuid.uuid4()
        with open(options.token_file) as file:
            self.token = json.loads(base64.b64decode(file.read().strip()))
        if options.wrong_secret:
            self.token["s"] = base64.b64encode(bytes(32)).decode()
        rules = [dict(zip(("hostname", "service"), rule.split("=", 1))) for rule in options.ingress]
        self.ingress = Ingress(rules and [*rules, {"service": "http_status:404"}])
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.tls.load_verify_locations(options.cacert)
        # Python can name one group only, so the post-quantum one of the other tool is not offered; P-256 is the
        # harder half of what it offers, for there is no X25519.
        self.tls.set_ecdh_curve("prime256v1")
        self.stopping, self.first = asyncio.Event(), asyncio.Event()
        self.connections, self.has_been_registered = {}, False

    async def run(self):
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.stopping.set)
        keepers = [asyncio.ensure_future(self.keep(0))]
        waits = [asyncio.ensure_future(event.wait()) for event in (self.first, self.stopping)]
        await asyncio.wait([keepers[0], *waits], return_when=asyncio.FIRST_COMPLETED)
        for index in range(1, self.options.connections):
            if self.stopping.is_set() or keepers[0].done():
                break
            keepers.append(asyncio.ensure_future(self.keep(index)))
            await asyncio.sleep(self.options.stagger)
        waits.append(asyncio.ensure_future(self.grace()))
        await asyncio.gather(*keepers)
        for wait in waits:
            wait.cancel()
        say("left")

    async def grace(self):
        """An edge that leaves a connection open keeps the process for the grace period, and longer with streams."""
        await self.stopping.wait()
        await asyncio.sleep(self.options.grace_period)
        say("problem: the edge did not close in the grace period")
        for connection in self.connections.values():
            if not connection.active:
                connection.writer.close()

    async def keep(self, index):
        """Keeps one connection, with pauses that grow until one is registered."""
        attempts = 0
        while not self.stopping.is_set():
            connection = self.connections[index] = Connection(self, index)
            marked = asyncio.ensure_future(self.mark(connection))
            error = None
            try:
                await connection.run(attempts)
                error = ConnectionError("connection with edge closed")
            except (OSError, Refused, capnp.KjException, asyncio.TimeoutError) as failure:
                error = failure
            finally:
                marked.cancel()
            if self.stopping.is_set():
                return
            is_dialled = hasattr(connection, "http")
            if not self.has_been_registered and is_dialled and not re.search("Unauthorized|EDUPCONN", str(error)):
                say("initial tunnel connection failed:", error)
                sys.exit(1)
            if connection.registered.is_set():
                attempts = 0
                pause = random.random()
            else:
                attempts += 1
                pause = random.uniform(0.5, 1) * 2 ** min(attempts, 5)
            say("retrying", index, repr(error))
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause * self.options.pace)

    async def mark(self, connection):
        await connection.registered.wait()
        self.has_been_registered = True
        self.first.set()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--edge", required=True)
    parser.add_argument("--cacert", required=True)
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--ingress", action="append", default=[], help="HOSTNAME=SERVICE, for a tunnel with rules of its own")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--max-streams", type=int, default=250)
    parser.add_argument("--ping-interval", type=float, default=54)
    parser.add_argument("--grace-period", type=float, default=30)
    parser.add_argument("--stagger", type=float, default=1)
    parser.add_argument("--pace", type=float, default=1, help="a factor for all pauses before another attempt")
    parser.add_argument("--wrong-secret", action="store_true")
    asyncio.run(capnp.run(Process(parser.parse_args()).run()))


main()
