"""A gRPC server over the h2 package, whose subclasses say how it answers, frame by frame."""

import collections
import socket
import threading

import h2.events

from rawgrpc import Link, unframed

Request = collections.namedtuple("Request", "stream connection headers messages")


class RawServer:
    """Reads whole requests and answers each by `answer`. One thread a connection."""

    def __init__(self, context=None):
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.calls = 0
        self.errors = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(plain, self.connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain, number):
        try:
            link = Link(plain, is_client=False, context=self._context)
        except OSError:
            return  # gone before it spoke
        try:
            self.connected(link)
            self._answer_all(link, number)
        except OSError:
            pass  # the client is gone in the middle
        except Exception as error:  # ours, and what h2 makes of a client that breaks the rules
            self.errors.append(error)
        finally:
            self.disconnected()
            link.close()

    def _answer_all(self, link, number):
        headers, bodies = {}, {}
        while (event := link.event()) is not None:
            if isinstance(event, h2.events.RequestReceived):
                headers[event.stream_id] = dict(event.headers)
                bodies[event.stream_id] = b""
            elif isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
            elif isinstance(event, h2.events.StreamEnded):
                self.calls += 1
                stream = event.stream_id
                self.answer(link, Request(
                    stream, number, headers.pop(stream), unframed(bodies.pop(stream))))
            else:
                self.saw(event)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(20)
        assert not self.errors, self.errors

    # For subclasses.

    def connected(self, link):
        pass

    def saw(self, event):
        pass

    def disconnected(self):
        pass

    def answer(self, link, request):
        raise NotImplementedError

    @staticmethod
    def send_head(link, stream, headers=()):
        link.h2.send_headers(
            stream, [(":status", "200"), ("content-type", "application/grpc"), *headers])
        link.flush()

    @staticmethod
    def send_trailers(link, stream):
        link.h2.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        link.flush()

    @staticmethod
    def refuse(link, stream, status):
        link.h2.send_headers(
            stream, [(":status", "200"), ("content-type", "application/grpc"),
                     ("grpc-status", str(status))], end_stream=True)
        link.flush()
