#!/usr/bin/python3
"""Writes a C file that holds other files as strings: embed.py OUT.c DEPFILE SCENARIOS NAME=FILE...
SCENARIOS is a folder of *.yaml, which become a table; DEPFILE tells ninja what was read."""

import os
import sys

A_LINE = 20


def c_char(byte):
    """As a number; above 127 as a character, whichever sign char has."""
    return str(byte) if byte < 128 else f"'\\x{byte:02x}'"


def array(name, path, more=''):
    with open(path, 'rb') as source:
        data = source.read() + b'\0'
    # A string literal of this length would be more than C promises to take.
    lines = ['\t' + ', '.join(c_char(b) for b in data[at:at + A_LINE]) + ','
             for at in range(0, len(data), A_LINE)]
    return [f'{more}const char {name}[] = {{', *lines, '};\n']


def main():
    out, depfile, folder, *items = sys.argv[1:]
    parts = ['/* Made by embed.py from lab/. */', '#include "lab/embed.h"', '',
             '#include <stddef.h>', '']
    read = [folder]
    for item in items:
        name, path = item.split('=', 1)
        parts += array(f'lab_embed_{name}', path)
        read.append(path)
    rows = []
    for number, file in enumerate(sorted(f for f in os.listdir(folder) if f.endswith('.yaml'))):
        path = os.path.join(folder, file)
        parts += array(f'scenario_{number}', path, 'static ')
        rows.append(f'\t{{ "{file[:-5]}", scenario_{number} }},')
        read.append(path)
    parts += ['const struct lab_embed lab_embed_scenarios[] = {', *rows, '\t{ NULL, NULL },', '};']
    with open(out, 'w', encoding='ascii') as target:
        target.write('\n'.join(parts) + '\n')
    with open(depfile, 'w', encoding='utf-8') as target:
        target.write(f'{out}: ' + ' '.join(p.replace(' ', '\\ ') for p in read) + '\n')


if __name__ == '__main__':
    main()
