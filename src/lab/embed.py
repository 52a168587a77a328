#!/usr/bin/python3
"""Writes a C file that holds other files as strings: embed.py OUT.c NAME=FILE..."""

import sys

A_LINE = 20


def c_char(byte):
    """As a number; above 127 as a character, whichever sign char has."""
    return str(byte) if byte < 128 else f"'\\x{byte:02x}'"


def main():
    out, *items = sys.argv[1:]
    parts = ['/* Made by embed.py. */', '#include "lab/embed.h"', '']
    for item in items:
        name, path = item.split('=', 1)
        with open(path, 'rb') as source:
            data = source.read() + b'\0'
        parts.append(f'const char lab_embed_{name}[] = {{')
        for at in range(0, len(data), A_LINE):
            # A string literal of this length would be more than C promises to take.
            parts.append('\t' + ', '.join(c_char(b) for b in data[at:at + A_LINE]) + ',')
        parts.append('};\n')
    with open(out, 'w', encoding='ascii') as target:
        target.write('\n'.join(parts))


if __name__ == '__main__':
    main()
