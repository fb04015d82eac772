# SPDX-License-Identifier: Apache-2.0
"""Certificates for listeners and clients, made for one test."""

import pathlib
import subprocess


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory, name="test"):
        self.path = pathlib.Path(directory)
        self.ca = self.path / f"{name}-ca.pem"
        self._key = self.path / f"{name}-ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self._key,
                      "-out", self.ca, "-days", "2", "-subj", f"/CN={name} authority")

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def issue(self, name, subject, *extensions):
        """Certificate and key, as two files."""
        key, request, certificate = (self.path / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        text = self.path / f"{name}.ext"
        text.write_text("\n".join(extensions) + "\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", subject)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", "2",
                      "-extfile", text, "-out", certificate)
        return certificate, key

    def server(self):
        return self.issue("server", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1")


def listener(port, authority, *more):
    """Lines of a TLS listener."""
    certificate, key = authority.server()
    return [f"listener {port} 127.0.0.1", f"cafile {authority.ca}", f"certfile {certificate}", f"keyfile {key}", *more]
