"""Which sockets towards a server's port stand in TIME_WAIT or FIN_WAIT2, by SOCK_DIAG."""

import errno
import os
import socket
import struct

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
REQ_BYTECODE = 1
BC_D_EQ = 12  # the far end's port is
FIN_WAIT2, TIME_WAIT = 5, 6
SPORT_AT = 16 + 4  # of struct inet_diag_msg behind its header


class Left:
    """count(): sockets of this host that are left of connections to that port. Not those that were
    there before: another server may have had the port, and TIME_WAIT lasts a minute."""

    def __init__(self, port):
        self.port = port
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        self.socket.bind((0, 0))
        self.before = self.local_ports()

    def close(self):
        self.socket.close()

    def ask(self):
        # two steps of the filter's program: compare (on yes behind the end, on no beyond it), and
        # what to compare with
        program = struct.pack("=BBHBBH", BC_D_EQ, 8, 12, 0, 0, self.port)
        attribute = struct.pack("=HH", 4 + len(program), REQ_BYTECODE) + program
        states = 1 << FIN_WAIT2 | 1 << TIME_WAIT
        body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_TCP, 0, 0, states)
        body += bytes(48) + attribute  # of no socket in particular
        head = struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY,
                           NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
        self.socket.send(head + body)

    def count(self):
        now = self.local_ports()
        self.before &= now  # who is gone may be there again, and is of this run then
        return len(now - self.before)

    def local_ports(self):
        self.ask()
        found = set()
        while True:
            data = self.socket.recv(1 << 16)
            while data:
                length, kind = struct.unpack_from("=IH", data)
                if kind == NLMSG_DONE:
                    return found
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", data, 16)[0]
                    raise OSError(code, f"SOCK_DIAG: {os.strerror(code or errno.EIO)}")
                found.add(struct.unpack_from("!H", data, SPORT_AT)[0])
                data = data[(length + 3) & ~3:]
