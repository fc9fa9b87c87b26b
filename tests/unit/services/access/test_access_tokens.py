"""Access tokens of an identity provider: which are believed, and whom they make of their bearer."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey
from structlog.testing import capture_logs

from lapel.domain.access import Principal, Role, scopes_of
from lapel.domain.fetching import FetchTimeout
from lapel.domain.organisation import DEFAULT_ORGANISATION_ID
from lapel.errors import Forbidden, InvalidToken, Unavailable
from lapel.services.access.access_tokens import BELIEVED_FOR, AccessTokens, TokenRules
from lapel.services.access.provider_keys import FRESH_SECONDS, MAX_AGE_SECONDS, PAUSE_SECONDS
from tests.unit.services.server import OWNER, Server

ISSUER = "https://id.example/realms/school"
DISCOVERY = f"{ISSUER}/.well-known/openid-configuration"
JWKS = f"{ISSUER}/keys"
FIRST, SECOND = (RSAKey.generate_key(2048, {"kid": kid}) for kid in ("first", "second"))
ROLES = {"badge-admins": Role.ADMIN, "teachers": Role.ISSUER, "everybody": Role.VIEWER}


class Provider:
    """An identity provider, and a Lapel that believes it."""

    def __init__(self, server: Server, **rules: Any) -> None:
        self.server = server
        self.elapsed = 0.0
        self.keys: dict[str, Key] = {"first": FIRST}
        self.publish()
        self.publish_description(issuer=ISSUER, jwks_uri=JWKS)
        given: dict[str, Any] = {
            "issuer": ISSUER,
            "audience": "lapel",
            "jwks_url": None,
            "role_claim": "roles",
            "roles": ROLES,
        }
        given |= {"organisation_claim": None, "tolerance": timedelta(seconds=60), **rules}
        self.tokens = AccessTokens(
            rules=TokenRules(**given),
            fetcher=server.web,
            timer=lambda: self.elapsed,
            store=server.database,
            clock=lambda: server.now,
        )

    def publish(self, *further: dict[str, Any]) -> None:
        keys = [*(key.as_dict(private=False) for key in self.keys.values()), *further]
        self.server.web.publish(JWKS, json.dumps({"keys": keys}).encode(), "application/jwk-set+json")

    def publish_description(self, **members: Any) -> None:
        self.server.web.publish(DISCOVERY, json.dumps(members).encode(), "application/json")

    def add(self, kid: str, key: Key) -> None:
        self.keys[kid] = key
        self.publish()

    def token(
        self,
        *,
        kid: str | None = "first",
        alg: str = "RS256",
        typ: str = "at+jwt",
        signed: Key | None = None,
        **claims: Any,
    ) -> str:
        now = int(self.server.now.timestamp())
        content = {"iss": ISSUER, "aud": "lapel", "sub": "ada", "iat": now, "exp": now + 3600, "roles": ["teachers"]}
        content |= claims
        header = {"alg": alg, "typ": typ} | ({"kid": kid} if kid else {})
        key = signed or self.keys[kid or "first"]
        left = {name: value for name, value in content.items() if value is not None}
        return jwt.encode(header, left, key, algorithms=[alg])

    async def who(self, **claims: Any) -> Principal:
        return await self.tokens.authenticate(self.token(**claims))

    async def renewed(self) -> None:
        """Wait for the keys that are being fetched in the background."""
        assert self.tokens._keys._renewal is not None
        await self.tokens._keys._renewal


@pytest.fixture
def provider(server: Server) -> Provider:
    return Provider(server)


async def test_a_token_gives_its_role_in_the_default_organisation(provider: Provider) -> None:
    scopes = scopes_of(Role.ISSUER, DEFAULT_ORGANISATION_ID)
    assert await provider.who() == Principal(DEFAULT_ORGANISATION_ID, "token:ada", Role.ISSUER, scopes)


@pytest.mark.parametrize(
    ("alg", "key"),
    [
        ("ES256", ECKey.generate_key("P-256", {"kid": "other"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "other"})),
        ("RS256", RSAKey.generate_key(3072, {"kid": "other"})),
    ],
)
async def test_every_algorithm_of_the_list_is_verified(provider: Provider, alg: str, key: Key) -> None:
    provider.add("other", key)
    assert (await provider.who(kid="other", alg=alg)).role is Role.ISSUER


@pytest.mark.parametrize("typ", ["at+jwt", "application/AT+JWT", "JWT"])
async def test_its_type_is_that_of_an_access_token(provider: Provider, typ: str) -> None:
    assert await provider.who(typ=typ)


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"iss": ISSUER + "/"}, "iss"),
        ({"iss": None}, "iss"),
        ({"aud": "others"}, "aud"),
        ({"aud": ["others"]}, "aud"),
        ({"aud": None}, "aud"),
        ({"aud": {"lapel": 1}}, "aud"),
        ({"exp": None}, "exp"),
        ({"exp": "soon"}, "exp"),
        ({"exp": 0}, "expired"),
        ({"nbf": 4_000_000_000}, "nbf"),
        ({"iat": 4_000_000_000}, "iat"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": "a\nb"}, "sub"),
        ({"sub": "a" * 201}, "sub"),
        ({"typ": "dpop+jwt"}, "typ"),
        ({"typ": "logout+jwt"}, "typ"),
        ({"kid": None, "signed": SECOND}, "signature"),
        ({"signed": SECOND}, "signature"),
    ],
)
async def test_what_is_not_for_here_and_now_is_refused(provider: Provider, claims: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidToken, match=said):
        await provider.who(**claims)


async def test_clocks_may_be_a_minute_apart(provider: Provider) -> None:
    now = int(provider.server.now.timestamp())
    assert await provider.who(exp=now - 50, nbf=now + 50)
    with pytest.raises(InvalidToken):
        await provider.who(exp=now - 61)
    with pytest.raises(InvalidToken):
        await provider.who(nbf=now + 62)


async def test_a_token_may_end_with_the_calendar(provider: Provider) -> None:
    assert await provider.who(exp=253_402_300_799)  # the last second that a datetime can hold


async def test_no_token_is_signed_with_what_everybody_knows(provider: Provider) -> None:
    public = json.dumps(provider.keys["first"].as_dict(private=False)).encode()
    provider.publish({"kty": "oct", "kid": "secret", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"})
    secret = OctKey.import_key("secretsecretsecretsecretsecret")
    good = provider.token()
    unsigned = "eyJhbGciOiJub25lIn0." + good.split(".")[1] + "."
    for token in (
        provider.token(alg="HS256", signed=OctKey.import_key(public)),
        provider.token(alg="HS256", kid="secret", signed=secret),
        unsigned,
        good[:-8] + ("AAAAAAAA" if not good.endswith("AAAAAAAA") else "BBBBBBBB"),
        good + "=",
        "a.b",
        "ey.ey.ey",
        "e" * 20_000,
    ):
        with pytest.raises(InvalidToken):
            await provider.tokens.authenticate(token)


async def test_a_key_is_used_for_what_it_is_published_for(provider: Provider) -> None:
    key = RSAKey.generate_key(2048, {"kid": "other"})
    published = key.as_dict(private=False)
    for wrong in ({"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "PS256"}):
        provider.elapsed += PAUSE_SECONDS
        provider.publish({**published, **wrong})
        with pytest.raises(InvalidToken, match="kid"):
            await provider.who(kid="other", signed=key)
    provider.elapsed += PAUSE_SECONDS
    provider.publish({**published, "use": "sig", "key_ops": ["verify"], "alg": "RS256"})
    assert await provider.who(kid="other", signed=key)


async def test_a_token_that_names_no_key_leaves_no_choice(provider: Provider) -> None:
    assert await provider.who(kid=None)
    provider.add("second", SECOND)
    provider.elapsed += FRESH_SECONDS
    assert await provider.who(kid="second")
    with pytest.raises(InvalidToken, match="kid"):
        await provider.who(kid=None, sub="grace")


async def test_nobody_waits_for_keys_that_are_not_the_first(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await provider.who()
    web = provider.server.web
    answers, fetch = asyncio.Event(), web.fetch

    async def slow(url: str, **options: Any) -> Any:
        await answers.wait()
        return await fetch(url, **options)

    monkeypatch.setattr(web, "fetch", slow)
    former = provider.keys.pop("first")
    provider.add("second", SECOND)
    provider.elapsed += FRESH_SECONDS
    for name in ("grace", "joan"):
        assert await provider.who(signed=former, sub=name)
    waiting = asyncio.create_task(provider.who(kid="second"))
    answers.set()
    assert await waiting
    assert web.asked == [DISCOVERY, JWKS] * 2
    with pytest.raises(InvalidToken, match="kid"):
        await provider.who(signed=former, sub="mary")


async def test_who_goes_away_while_keys_are_fetched_keeps_nobody_from_them(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def hanging(url: str, **options: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(provider.server.web, "fetch", hanging)
        gone = asyncio.create_task(provider.who())
        await asked.wait()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    assert await provider.who()


async def test_a_provider_that_does_not_answer_is_not_waited_for_by_one_request_after_another(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def slow(url: str, **options: Any) -> Any:
        asked.append(url)
        await asyncio.sleep(0)
        provider.elapsed += PAUSE_SECONDS
        raise FetchTimeout("id.example took more than 10 seconds.")

    monkeypatch.setattr(provider.server.web, "fetch", slow)
    results = await asyncio.gather(*(provider.who(sub=str(number)) for number in range(5)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 5
    assert asked == [DISCOVERY]
    provider.elapsed += PAUSE_SECONDS
    monkeypatch.undo()
    assert await provider.who()


async def test_the_keys_are_fetched_seldom_whatever_tokens_name(provider: Provider) -> None:
    for number in range(20):
        with pytest.raises(InvalidToken):
            await provider.who(kid="unknown", signed=provider.keys["first"], sub=str(number))
    assert provider.server.web.asked == [DISCOVERY, JWKS]


async def test_a_new_key_is_found_and_one_that_is_gone_forgotten(provider: Provider) -> None:
    await provider.who()
    former = provider.keys.pop("first")
    provider.add("second", SECOND)
    provider.elapsed += PAUSE_SECONDS
    assert await provider.who(kid="second")
    with pytest.raises(InvalidToken):
        await provider.who(signed=former, sub="grace")


async def test_a_provider_that_is_away_for_a_while_is_not_missed(provider: Provider) -> None:
    await provider.who()
    provider.server.web.pages.clear()
    provider.elapsed += MAX_AGE_SECONDS - 1
    assert await provider.who(sub="grace")
    provider.elapsed += 1
    with pytest.raises(Unavailable):
        await provider.who(sub="joan")
    provider.publish()
    provider.publish_description(issuer=ISSUER, jwks_uri=JWKS)
    provider.elapsed += PAUSE_SECONDS
    assert await provider.who(sub="joan")


async def test_the_operator_is_told_of_keys_that_cannot_be_renewed_while_the_former_ones_still_serve(
    provider: Provider,
) -> None:
    await provider.who()
    provider.server.web.pages.clear()
    provider.elapsed += FRESH_SECONDS

    with capture_logs() as logged:
        assert await provider.who(sub="grace")
        await provider.renewed()

    (told,) = logged
    assert (told["event"], told["log_level"]) == ("the identity provider's keys cannot be fetched", "warning")
    assert "404" in told["reason"]


async def test_of_very_many_keys_the_first_64_are_used(provider: Provider) -> None:
    encrypting = [{**provider.keys["first"].as_dict(private=False), "use": "enc", "kid": str(n)} for n in range(62)]
    last, beyond = (ECKey.generate_key("P-256", {"kid": kid}) for kid in ("last", "beyond"))
    provider.publish(*encrypting, *(key.as_dict(private=False) for key in (last, beyond)))
    assert await provider.who(kid="last", alg="ES256", signed=last)
    with pytest.raises(InvalidToken, match="kid"):
        await provider.who(kid="beyond", alg="ES256", signed=beyond)


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://other.example", "jwks_uri": JWKS},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": DISCOVERY},
    ],
)
async def test_the_description_is_the_issuers_own(provider: Provider, described: dict[str, Any]) -> None:
    provider.publish_description(**described)
    with pytest.raises(Unavailable):
        await provider.who()


async def test_the_keys_address_can_be_told(server: Server) -> None:
    provider = Provider(server, jwks_url=JWKS)
    assert await provider.who()
    assert server.web.asked == [JWKS]


@pytest.mark.parametrize(
    ("claim", "claims", "role"),
    [
        ("roles", {"roles": ["everybody", "badge-admins", "teachers", 7, None]}, Role.ADMIN),
        ("roles", {"roles": "everybody"}, Role.VIEWER),
        ("scope", {"scope": "openid teachers"}, Role.ISSUER),
        ("/realm_access/roles", {"realm_access": {"roles": ["teachers"]}}, Role.ISSUER),
        ("https://school.example/roles", {"https://school.example/roles": ["teachers"]}, Role.ISSUER),
        ("/a~1b/c~0d", {"a/b": {"c~d": "teachers"}}, Role.ISSUER),
        ("roles", {"roles": []}, None),
        ("roles", {"roles": None}, None),
        ("roles", {"roles": ["owner", "admin"]}, None),
        ("roles", {"roles": "everybody teachers"}, None),
        ("/realm_access/roles", {"realm_access": ["teachers"]}, None),
    ],
)
async def test_a_value_of_the_claim_gives_the_role(
    server: Server, claim: str, claims: dict[str, Any], role: Role | None
) -> None:
    provider = Provider(server, role_claim=claim)
    if role is not None:
        assert (await provider.who(**claims)).role is role
    else:
        with pytest.raises(Forbidden, match="role") as refused:
            await provider.who(**claims)
        assert "LAPEL_OIDC_ROLES" in str(refused.value.hint)


async def test_the_organisation_is_one_of_this_server(server: Server) -> None:
    provider = Provider(server, organisation_claim="school", roles={"heads": Role.OWNER})
    other, _ = await server.organisations.create(OWNER, "Riverside School")
    who = await provider.who(school=str(other.id), roles="heads")
    assert who == Principal(other.id, "token:ada", Role.OWNER, scopes_of(Role.OWNER, other.id))
    for school in (None, "", "Riverside School", str(server.new_id()), [str(other.id)], 7):
        with pytest.raises(Forbidden, match="organisation"):
            await provider.who(school=school, roles="heads")


async def test_a_token_that_was_good_is_believed_until_it_ends_or_for_five_minutes(provider: Provider) -> None:
    now = int(provider.server.now.timestamp())
    short, long = provider.token(exp=now + 100), provider.token()
    first = await provider.tokens.authenticate(long)
    await provider.tokens.authenticate(short)
    provider.keys.clear()
    provider.add("second", SECOND)
    provider.elapsed += MAX_AGE_SECONDS
    assert await provider.tokens.authenticate(long) is first
    provider.server.now += timedelta(seconds=161)
    with pytest.raises(InvalidToken):
        await provider.tokens.authenticate(short)
    assert await provider.tokens.authenticate(long) is first
    provider.server.now += BELIEVED_FOR
    with pytest.raises(InvalidToken):
        await provider.tokens.authenticate(long)
