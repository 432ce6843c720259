"""A proxy that passes everything on, until it is told to be silent: then connections stay open and nothing arrives."""

from __future__ import annotations

import socket
from threading import Event, Thread


class SilentProxy:
    def __init__(self, host: str, port: int) -> None:
        self._behind = host, port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._passes = Event()
        self._passes.set()
        self._open = [self._listening]
        Thread(target=self._accept, daemon=True).start()

    def silence(self) -> None:
        self._passes.clear()

    def close(self) -> None:
        self._passes.set()
        for wire in self._open:
            wire.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._behind)
            self._open += [client, server]
            for pair in ((client, server), (server, client)):
                Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while piece := one.recv(65536):
                self._passes.wait()
                other.sendall(piece)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return
