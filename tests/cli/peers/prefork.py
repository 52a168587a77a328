#!/usr/bin/python3
"""prefork.py WORKERS SECONDS: so many processes accept from one socket, and each serves one
connection at a time, until that closes. A call takes so long. Says its port; ends with its standard
input."""

import os
import signal
import socket
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


def serve(connection, takes):
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
        while b"\r\n\r\n" in data:
            data = data.split(b"\r\n\r\n", 1)[1]
            time.sleep(takes)
            connection.sendall(ANSWER)


def work(listener, takes):
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                serve(connection, takes)
            except OSError:
                pass  # it was reset


def main():
    workers, takes = int(sys.argv[1]), float(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    children = []
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            work(listener, takes)
        children.append(child)
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


main()
