# What RestrictAddressFamilies= of systemd does, without systemd: restrict-families.py "AF_INET AF_UNIX" command…
import ctypes
import os
import platform
import socket
import struct
import sys

SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
EAFNOSUPPORT = 97
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
CALL_NUMBER, FIRST_ARGUMENT = 0, 16
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | EAFNOSUPPORT


def step(code, constant, if_true=0, if_false=0):
    return struct.pack("HBBI", code, if_true, if_false, constant)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]


families = [int(getattr(socket, name)) for name in sys.argv[1].split()]
steps = [
    step(LOAD_WORD, CALL_NUMBER),
    step(JUMP_IF_EQUAL, SOCKET, if_true=1),
    step(RETURN, ALLOW),
    step(LOAD_WORD, FIRST_ARGUMENT),
]
for family in families:
    steps += [step(JUMP_IF_EQUAL, family, if_false=1), step(RETURN, ALLOW)]
steps.append(step(RETURN, FAIL))

bytes_of_steps = ctypes.create_string_buffer(b"".join(steps))
program = Program(len(steps), ctypes.addressof(bytes_of_steps))
kernel = ctypes.CDLL(None, use_errno=True)
if kernel.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or kernel.prctl(
    PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0
):
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[2], sys.argv[2:])
