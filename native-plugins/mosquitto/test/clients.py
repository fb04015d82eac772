# SPDX-License-Identifier: Apache-2.0
"""Clients: paho-mqtt as it is, and a bare one for what paho hides."""

import queue
import socket
import struct

import paho.mqtt.client as paho

ANSWER = 30  # seconds
NO_SUBSCRIBERS = 0x10


class Client:
    """paho-mqtt, one call at a time; it never reconnects by itself."""

    def __init__(self, port, client_id, password=None, username="hint", *, version=4, clean=True, will=None, tls=None, transport="tcp"):
        self.messages = queue.Queue()
        self._events = {"connect": queue.Queue(), "disconnect": queue.Queue(), "publish": queue.Queue(), "subscribe": queue.Queue(), "unsubscribe": queue.Queue()}
        self.version = version
        options = {"clean_session": clean} if version != 5 else {}
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=client_id, protocol=version, reconnect_on_failure=False, transport=transport, **options)
        if username is not None or password is not None:
            self.paho.username_pw_set(username, password)
        if will:
            self.paho.will_set(*will)
        if tls:
            self.paho.tls_set(**tls)
        self.paho.on_connect = lambda c, u, f, reason, p: self._events["connect"].put((reason, f.session_present))
        self.paho.on_disconnect = lambda c, u, f, reason, p: self._events["disconnect"].put(reason)
        self.paho.on_publish = lambda c, u, mid, reason, p: self._events["publish"].put((mid, reason))
        self.paho.on_subscribe = lambda c, u, mid, reasons, p: self._events["subscribe"].put(reasons[0])
        self.paho.on_unsubscribe = lambda c, u, mid, reasons, p: self._events["unsubscribe"].put(reasons[0] if reasons else None)
        self.paho.on_message = lambda c, u, message: self.messages.put(message)
        self._how = {}
        if version == 5:
            self._how = {"clean_start": clean}
        self._port = port
        self.session_present = None

    def connect(self):
        """The reason of the CONNACK; None when the connection closed without one."""
        try:
            self.paho.connect("localhost", self._port, **self._how)
        except OSError:
            return None
        self.paho.loop_start()
        answer = self._answer("connect")
        if not answer:
            return None
        reason, self.session_present = answer
        return reason.value

    def _answer(self, what):
        """What came; None when the connection was closed instead."""
        for _ in range(ANSWER * 100):
            try:
                return self._events[what].get(timeout=0.01)
            except queue.Empty:
                if not self._events["disconnect"].empty():
                    return None
        raise AssertionError(f"no answer to {what}")

    def publish(self, topic, payload=b"x", qos=1, retain=False):
        """The reason of the PUBACK; that nobody has subscribed is none. None when
        the connection was closed instead."""
        info = self.paho.publish(topic, payload, qos, retain)
        answer = self._answer("publish")
        if not answer:
            return None
        mid, reason = answer
        assert mid == info.mid
        return 0 if reason.value == NO_SUBSCRIBERS else reason.value

    def send(self, topic, qos=1):
        """Publishes without waiting."""
        self.paho.publish(topic, b"x", qos)

    def acknowledged(self):
        """Reasons of the PUBACKs that have come since."""
        reasons = set()
        while not self._events["publish"].empty():
            reasons.add(self._events["publish"].get()[1].value)
        return reasons - {NO_SUBSCRIBERS}

    def subscribe(self, topic, qos=1):
        self.paho.subscribe(topic, qos)
        return self._events["subscribe"].get(timeout=ANSWER).value

    def unsubscribe(self, topic):
        self.paho.unsubscribe(topic)
        reason = self._events["unsubscribe"].get(timeout=ANSWER)
        return reason.value if reason is not None else 0

    def receive(self):
        return self.messages.get(timeout=ANSWER)

    def wait_closed(self):
        """The reason of the disconnection, as the client has learnt it."""
        return self._events["disconnect"].get(timeout=ANSWER).value

    def connected(self):
        return self._events["disconnect"].empty() and self.paho.is_connected()

    def close(self):
        self.paho.disconnect()
        self.paho.loop_stop()

    def drop(self):
        """Goes without a word, so that its will is published."""
        self.paho.loop_stop()
        self.paho.socket().close()


def _string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack("!H", len(data)) + data


def _length(n):
    out = b""
    while True:
        n, digit = divmod(n, 128)
        out += bytes([digit | (0x80 if n else 0)])
        if not n:
            return out


class Bare:
    """MQTT 5 and 3.1.1 by hand: for AUTH packets, for bytes paho would not send,
    and for connections that close without a CONNACK."""

    def __init__(self, port, client_id, *, version=5, timeout=ANSWER):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.client_id = client_id
        self.version = version

    def send(self, kind, body):
        self.socket.sendall(bytes([kind]) + _length(len(body)) + body)

    def read(self):
        """Kind and body of the next packet; None when the connection is closed."""
        try:
            head = self.socket.recv(1)
            if not head:
                return None
            size = shift = 0
            while True:
                digit = self.socket.recv(1)[0]
                size |= (digit & 0x7F) << shift
                shift += 7
                if not digit & 0x80:
                    break
            body = b""
            while len(body) < size:
                body += self.socket.recv(size - len(body))
            return head[0], body
        except ConnectionResetError:
            return None

    def connect(self, username=None, password=None, *, method=None, data=None, clean=True):
        """The CONNACK's code, or None; for an AUTH in between its code."""
        self.send_connect(username, password, method=method, data=data, clean=clean)
        return self.code()

    def send_connect(self, username=None, password=None, *, method=None, data=None, clean=True):
        flags = 2 * clean + (0x80 if username is not None else 0) + (0x40 if password is not None else 0)
        body = _string("MQTT") + bytes([self.version, flags]) + struct.pack("!H", 60)
        if self.version == 5:
            properties = b""
            if method:
                properties += b"\x15" + _string(method)
            if data is not None:
                properties += b"\x16" + _string(data)
            body += _length(len(properties)) + properties
        body += _string(self.client_id)
        body += _string(username) if username is not None else b""
        body += _string(password) if password is not None else b""
        self.send(0x10, body)

    def code(self):
        """The reason code of the next CONNACK, AUTH or DISCONNECT; None when closed."""
        packet = self.read()
        if packet is None:
            return None
        kind, body = packet
        return body[1] if kind == 0x20 else body[0] if body else 0

    def wait_closed(self):
        """Reads on until the connection is closed."""
        while self.read() is not None:
            pass

    def reauthenticate(self, method, data):
        properties = b"\x15" + _string(method) + b"\x16" + _string(data)
        self.send(0xF0, b"\x19" + _length(len(properties)) + properties)
        return self.code()

    def ping(self):
        self.send(0xC0, b"")
        return self.read() == (0xD0, b"")

    def close(self):
        self.socket.close()
