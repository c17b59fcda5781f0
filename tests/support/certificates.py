"""Certificates for a server on loopback, and an authority that did not sign them."""

from pathlib import Path

import trustme


class Certificates:
    """PEM files in `folder`: a server's certificate for 127.0.0.1 and localhost, and the authorities."""

    def __init__(self, folder: Path) -> None:
        self.authority = folder / "authority.pem"
        self.wrong_authority = folder / "wrong-authority.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server.key"
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", "localhost")
        authority.cert_pem.write_to_path(str(self.authority))
        trustme.CA().cert_pem.write_to_path(str(self.wrong_authority))
        self.key.touch(mode=0o600)
        issued.private_key_pem.write_to_path(str(self.key))
        for number, part in enumerate(issued.cert_chain_pems):
            part.write_to_path(str(self.certificate), append=number > 0)
