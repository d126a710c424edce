"""One gRPC call written by hand over TLS: for requests that no client library would send.

Headers are unpacked by libnghttp2, which every machine that runs the services has.
"""

import ctypes
import socket
import ssl
import struct
import urllib.parse

from contracts import refusal_of

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, PADDED, PRIORITY, ACK = 0x1, 0x4, 0x8, 0x20, 0x1


def call(gateway, ca_file, path, headers, message=b"", seconds=20):
    """The answer's headers and trailers in one dictionary; the request ends after `message`."""
    host, port = gateway.rsplit(":", 1)
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((host, int(port)), seconds) as plain:
        with context.wrap_socket(plain, server_hostname=host) as link:
            fields = [
                (":method", "POST"), (":scheme", "https"), (":path", path), (":authority", gateway),
                ("te", "trailers"), ("content-type", "application/grpc"), *headers]
            link.sendall(
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0)
                + _frame(HEADERS, END_HEADERS, 1, b"".join(_literal(*field) for field in fields))
                + _frame(DATA, END_STREAM, 1, struct.pack(">BI", 0, len(message)) + message))
            return _answer(link)


def told(answer):
    """The refusal in an answer."""
    import base64
    import grpc

    code = next(c for c in grpc.StatusCode if str(c.value[0]) == answer["grpc-status"])
    details = answer.get("grpc-status-details-bin", "")
    return refusal_of(
        code, urllib.parse.unquote(answer.get("grpc-message", "")),
        base64.b64decode(details + "=" * (-len(details) % 4)))


def _answer(link):
    inflater, found = _Inflater(), {}
    while True:
        length = int.from_bytes(_read(link, 3), "big")
        kind, flags, stream = struct.unpack(">BBI", _read(link, 6))
        payload = _read(link, length)
        if kind == SETTINGS and not flags & ACK:
            link.sendall(_frame(SETTINGS, ACK, 0))
        elif kind == PING and not flags & ACK:
            link.sendall(_frame(PING, ACK, 0, payload))
        elif kind in (RST_STREAM, GOAWAY):
            raise AssertionError(f"frame {kind}: {payload!r} after {found}")
        elif kind == HEADERS and stream == 1:
            assert flags & END_HEADERS and not flags & (PADDED | PRIORITY)
            found.update(inflater.fields(payload))
            if flags & END_STREAM:
                return found
        elif kind == DATA and flags & END_STREAM:
            return found


def _read(link, count):
    data = b""
    while len(data) < count:
        more = link.recv(count - len(data))
        assert more, "the connection was closed"
        data += more
    return data


def _frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name, value):
    """A field without index and Huffman coding (RFC 7541, 6.2.2)."""
    return b"\x00" + _string(name) + _string(value)


def _string(text):
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    rest, encoded = len(data) - 127, [127]
    while rest >= 128:
        encoded.append(rest % 128 + 128)
        rest //= 128
    return bytes([*encoded, rest]) + data


class _Field(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.POINTER(ctypes.c_uint8)), ("value", ctypes.POINTER(ctypes.c_uint8)),
        ("name_length", ctypes.c_size_t), ("value_length", ctypes.c_size_t),
        ("flags", ctypes.c_uint8)]


class _Inflater:
    EMIT, FINAL = 2, 1

    def __init__(self):
        self._library = ctypes.CDLL("libnghttp2.so.14")
        self._handle = ctypes.c_void_p()
        assert self._library.nghttp2_hd_inflate_new(ctypes.byref(self._handle)) == 0
        self._inflate = self._library.nghttp2_hd_inflate_hd2
        self._inflate.restype = ctypes.c_ssize_t
        self._inflate.argtypes = [
            ctypes.c_void_p, ctypes.POINTER(_Field), ctypes.POINTER(ctypes.c_int),
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]

    def __del__(self):
        self._library.nghttp2_hd_inflate_del(self._handle)

    def fields(self, block):
        found = {}
        while True:
            field, flags = _Field(), ctypes.c_int(0)
            used = self._inflate(
                self._handle, ctypes.byref(field), ctypes.byref(flags), block, len(block), 1)
            assert used >= 0, f"no header block: {used}"
            block = block[used:]
            if flags.value & self.EMIT:
                name = ctypes.string_at(field.name, field.name_length).decode()
                found[name] = ctypes.string_at(field.value, field.value_length).decode()
            if flags.value & self.FINAL:
                self._library.nghttp2_hd_inflate_end_headers(self._handle)
                return found
