"""What the checks share: the tree's files, and how a finding is printed.

A check takes an optional directory (default: the tree it lies in), prints one line a finding as
`file:line: message`, and exits 1 if there was any.

Rule zero of the style: a rule may be broken where a comment says why. A check that allows it
looks for a comment with `rule zero:` on the line itself or on the one above.
"""

import os
import subprocess
import sys


class Tree:
    def __init__(self, root):
        self.root = os.path.abspath(root)
        self.findings = 0
        self._files = None

    def files(self, *endings):
        """Paths of the tree's files, sorted, relative; those that git ignores are not ours."""
        if self._files is None:
            self._files = sorted(p for p in self._list() if os.path.isfile(self.path(p)))
        if not endings:
            return self._files
        return [p for p in self._files if p.endswith(endings)]

    def _list(self):
        git = ["git", "-c", "safe.directory=*", "-C", self.root]
        if os.path.exists(self.path(".git")):
            out = subprocess.run(
                git + ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                stdout=subprocess.PIPE, check=True).stdout
            return set(out.decode().split("\0")) - {""}
        found = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if f != "__pycache__" and not f.startswith("build")]
            found += [os.path.relpath(os.path.join(folder, n), self.root) for n in names]
        return found

    def path(self, relative):
        return os.path.join(self.root, relative)

    def read(self, relative):
        with open(self.path(relative), encoding="utf-8", errors="surrogateescape") as f:
            return f.read()

    def find(self, relative, line, message):
        self.findings += 1
        print(f"{relative}:{line}: {message}")

    def finish(self):
        sys.exit(1 if self.findings else 0)


def open_tree(argv):
    if len(argv) > 2 or (len(argv) == 2 and argv[1].startswith("-")):
        print(f"usage: {os.path.basename(argv[0])} [DIRECTORY]", file=sys.stderr)
        sys.exit(2)
    default = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return Tree(argv[1] if len(argv) == 2 else default)


def is_waived(lines, number):
    """Whether line `number` (from 1) or the one above has a `rule zero:` comment."""
    near = lines[max(0, number - 2):number]
    return any("rule zero:" in line for line in near)
