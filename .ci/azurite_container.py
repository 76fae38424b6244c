"""Creates a container in a running Azurite: azurite_container.py ENDPOINT CONTAINER

ENDPOINT is like http://127.0.0.1:10000. Azurite only takes signed requests, and object_store cannot
create containers; this signs one PUT with the emulator's public, documented key. A container that
exists already is fine.
"""

import base64
import email.utils
import hashlib
import hmac
import sys
import urllib.error
import urllib.request

ACCOUNT = "devstoreaccount1"
# The key every Azurite and Azure storage emulator shares, from Microsoft's documentation.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def create(endpoint: str, container: str) -> None:
    headers = {
        "x-ms-date": email.utils.formatdate(usegmt=True),
        "x-ms-version": "2021-12-02",
    }
    canonical_headers = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    resource = f"/{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
    # The eleven standard headers between the verb and x-ms-* are all empty.
    to_sign = "PUT\n" + "\n" * 11 + canonical_headers + resource
    digest = hmac.new(base64.b64decode(KEY), to_sign.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers["Content-Length"] = "0"
    url = f"{endpoint.rstrip('/')}/{ACCOUNT}/{container}?restype=container"
    request = urllib.request.Request(url, method="PUT", headers=headers)
    try:
        urllib.request.urlopen(request, timeout=10)
    except urllib.error.HTTPError as error:
        if error.code != 409:
            sys.exit(f"azurite refused to create {container}: {error.code} {error.read().decode()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    create(sys.argv[1], sys.argv[2])
