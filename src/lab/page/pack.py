#!/usr/bin/python3
"""Makes one HTML page of a template, styles and scripts, with a policy that names them by
their hashes: pack.py TEMPLATE LICENCE FILE.css... FILE.js... OUT

The page's data is not in it yet: @DATA@ stands where weir puts it.
"""

import base64
import hashlib
import re
import sys
from pathlib import Path


def text_of(path):
    text = Path(path).read_text(encoding='utf-8')
    # a browser's tools would ask the network for it
    return re.sub(r'(/\*|//)# sourceMappingURL=\S+( *\*/)?', '', text).strip() + '\n'


def licence_of(path):
    """The copyright notices and the permission, as they must go with every copy."""
    text = Path(path).read_text(encoding='utf-8')
    first, last = text.index('Copyright (c)'), text.index('OTHER DEALINGS IN THE SOFTWARE.')
    return 'dygraphs\n\n' + text[first:last] + 'OTHER DEALINGS IN THE SOFTWARE.\n'


def comment(text):
    return '/*\n' + text.replace('*/', '* /') + '*/\n'


def hash_of(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def main():
    template, licence, *files, out = sys.argv[1:]
    style = ''.join(text_of(f) for f in files if f.endswith('.css'))
    scripts = [text_of(f) for f in files if f.endswith('.js')]
    # each in a scope of its own would hide them from each other: one strict script
    script = comment(licence_of(licence)) + ';\n'.join(scripts)
    for name, text in (('script', script), ('style', style)):
        if re.search(rf'</{name}|<!--', text, re.IGNORECASE):
            sys.exit(f'pack.py: a {name} holds what would end it inside a page')
    page = text_of(template)
    for mark, text in (('@SCRIPT_HASH@', hash_of(script)), ('@STYLE_HASH@', hash_of(style)),
                       ('@STYLE@', style), ('@SCRIPT@', script)):
        if page.count(mark) != 1:
            sys.exit(f'pack.py: {template} must hold {mark} once')
        page = page.replace(mark, text)
    if page.count('@DATA@') != 1:
        sys.exit(f'pack.py: {template} must hold @DATA@ once')
    Path(out).write_text(page, encoding='utf-8')


if __name__ == '__main__':
    main()
