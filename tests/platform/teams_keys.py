"""The keys of the Bot Framework's stand-in, what it signs with them, and every forgery of that."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER = "https://api.botframework.com"
SKEW_S = 300

FORGERIES = (
    "no header",
    "empty",
    "not a jwt",
    "another scheme",
    "two tokens",
    "wrong issuer",
    "wrong audience",
    "expired",
    "no expiry",
    "not yet valid",
    "alg none",
    "signed with the public key",
    "unknown key",
    "another's key",
    "no service url",
    "another service url",
    "key without endorsement",
    "wrong tenant",
    "changed claims",
)
"""What an Authorization header may be that is not right."""


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Key:
    """One RSA key with its id."""

    def __init__(self, kid: str, endorsements: tuple[str, ...] = ("msteams",)) -> None:
        self.kid = kid
        self.endorsements = endorsements
        self._private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def private_pem(self) -> bytes:
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @property
    def public_pem(self) -> bytes:
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def jwk(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._private.public_key()))
        return {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": found["n"],
            "e": found["e"],
            "endorsements": list(self.endorsements),
        }

    def sign(self, claims: dict[str, Any], *, kid: str = "") -> str:
        return jwt.encode(claims, self.private_pem, algorithm="RS256", headers={"kid": kid or self.kid})


class Keys:
    """The keys that are published, and tokens signed with them."""

    def __init__(self, app_id: str) -> None:
        self.app_id = app_id
        self.keys = [Key("key-1"), Key("key-other", endorsements=("webchat",))]
        self.stranger = Key("key-1")  # has the id of ours, and is nobody's
        self.fetches = 0

    @property
    def current(self) -> Key:
        return self.keys[0]

    def rotate(self) -> None:
        """Sign with a new key from now on; the old one is published no longer."""
        self.keys[0] = Key(f"key-{time.time_ns()}")

    def jwks(self) -> dict[str, Any]:
        return {"keys": [key.jwk() for key in self.keys]}

    def claims(self, service_url: str, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": self.app_id,
            "serviceurl": service_url,
            "iat": now,
            "nbf": now - 300,
            "exp": now + 3600,
        }
        return {name: value for name, value in {**claims, **more}.items() if value is not None}

    def access_token(self, tenant: str, seconds: float) -> str:
        """Make what the sign-in gives a bot: opaque by the standard, and yet Microsoft's SDKs read it."""
        now = int(time.time())
        claims = {"aud": ISSUER, "appid": self.app_id, "tid": tenant, "iat": now, "nbf": now, "exp": now + int(seconds)}
        return self.current.sign({**claims, "iss": f"https://sts.windows.net/{tenant}/", "uti": secrets.token_hex(8)})

    def token(self, service_url: str) -> str:
        return self.current.sign(self.claims(service_url))

    def headers(self, service_url: str, forgery: str = "") -> list[tuple[str, str]]:
        """Return the Authorization headers of a request; FORGERY is one of FORGERIES."""
        if not forgery:
            return [("Authorization", f"Bearer {self.token(service_url)}")]
        token = self.token(service_url)
        special = {
            "no header": [],
            "empty": [("Authorization", "")],
            "not a jwt": [("Authorization", "Bearer not.a.token")],
            "another scheme": [("Authorization", f"Basic {token}")],
            "two tokens": [("Authorization", f"Bearer {token} Bearer {token}")],
        }
        if forgery in special:
            return special[forgery]
        return [("Authorization", f"Bearer {self._forge(forgery, service_url)}")]

    def _forge(self, forgery: str, service_url: str) -> str:
        now = int(time.time())
        changes: dict[str, dict[str, Any]] = {
            "wrong issuer": {"iss": "https://example.com"},
            "wrong audience": {"aud": "11111111-2222-3333-4444-555555555555"},
            "expired": {"exp": now - SKEW_S - 60, "nbf": now - 7200},
            "no expiry": {"exp": None},
            "not yet valid": {"nbf": now + SKEW_S + 60},
            "no service url": {"serviceurl": None},
            "another service url": {"serviceurl": "https://smba.trafficmanager.net/elsewhere/"},
            "wrong tenant": {"iss": "https://sts.windows.net/11111111-2222-3333-4444-555555555555/"},
        }
        if forgery in changes:
            return self.current.sign(self.claims(service_url, **changes[forgery]))
        claims = self.claims(service_url)
        match forgery:
            case "alg none":
                return f"{_part({'alg': 'none', 'typ': 'JWT', 'kid': self.current.kid})}.{_part(claims)}."
            case "signed with the public key":
                return self._confused(claims)
            case "unknown key":
                return self.current.sign(claims, kid="a-key-that-nobody-published")
            case "another's key":
                return self.stranger.sign(claims)
            case "key without endorsement":
                return self.keys[1].sign(claims)
            case "changed claims":
                head, _, signature = self.current.sign(claims).split(".")
                return f"{head}.{_part({**claims, 'serviceurl': service_url, 'extra': 'x'})}.{signature}"
        raise ValueError(forgery)

    def _confused(self, claims: dict[str, Any]) -> str:
        """Sign with the public key as the secret of HS256, which a careless verifier takes."""
        signed = f"{_part({'alg': 'HS256', 'typ': 'JWT', 'kid': self.current.kid})}.{_part(claims)}"
        signature = hmac.new(self.current.public_pem, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{_encode(signature)}"


def _part(data: dict[str, Any]) -> str:
    return _encode(json.dumps(data).encode())
