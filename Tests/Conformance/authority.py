"""Certificates for the tests, made anew for each run."""

import ssl

import trustme


class Authority:
    """One authority, with a server's and a client's certificate."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        root = trustme.CA()
        self.roots = folder / "authority.pem"
        root.cert_pem.write_to_path(str(self.roots))
        self.server = self._files(folder, "server", root.issue_cert("localhost", "127.0.0.1"))
        self.client = self._files(folder, "client", root.issue_cert("client.test"))

    @staticmethod
    def _files(folder, name, certificate):
        """(chain file, key file)."""
        chain, key = folder / f"{name}.pem", folder / f"{name}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        certificate.private_key_pem.write_to_path(str(key))
        return chain, key

    def server_context(self):
        """For servers written over Python's own TLS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, self.server))
        context.set_alpn_protocols(["h2"])
        return context
