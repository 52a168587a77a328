"""A certificate authority for tests, by the openssl command, in a folder of the test's own."""

import shutil
import subprocess
from pathlib import Path

DAY = 24 * 3600


def openssl(*argv, **more):
    return subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True,
                          timeout=60, **more)


class Cert:
    def __init__(self, cert, key):
        self.cert, self.key = cert, key

    def options(self):
        return ("--cert", self.cert, "--key", self.key)


class Authority:
    """`root` is what a client trusts."""

    def __init__(self, folder, name="root"):
        self.folder, self.name, self.count = Path(folder) / name, name, 0
        self.folder.mkdir()
        self.root, self.key = self.folder / "root.pem", self.folder / "root.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", self.key, "-out", self.root, "-subj", f"/CN={name}", "-days", 30)

    def issue(self, *names, expired=False, by_itself=False, intermediate=False):
        """A certificate for these names ("localhost", "IP:127.0.0.1"), with its key."""
        self.count += 1
        base = self.folder / str(self.count)
        made = Cert(base.with_suffix(".pem"), base.with_suffix(".key"))
        request, ext = base.with_suffix(".csr"), base.with_suffix(".ext")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", made.key, "-out", request, "-subj", "/CN=leaf")
        alt = ",".join(n if n.startswith("IP:") else f"DNS:{n}" for n in names)
        ext.write_text(f"subjectAltName={alt}\n" if names else "")
        if intermediate:
            ext.write_text("basicConstraints=critical,CA:TRUE\n")
        signer = ["-signkey", made.key] if by_itself else ["-CA", self.root, "-CAkey", self.key,
                                                           "-CAcreateserial"]
        openssl("x509", "-req", "-in", request, "-out", made.cert, "-extfile", ext, *signer,
                "-days", -1 if expired else 30)
        return made

    def replace(self, cert, *names):
        """Another certificate in the files of this one."""
        other = self.issue(*names)
        for there, here in ((other.cert, cert.cert), (other.key, cert.key)):
            shutil.move(there, here)


LOCAL = ("localhost", "IP:127.0.0.1")
