"""Every repository, on every database: the conformance kit."""

from __future__ import annotations

from lapel.database.conformance.credentials import CredentialRules, StatusListRules
from lapel.database.conformance.keys_and_facts import ApiKeyRules, ImageRules, ServerFactRules, SigningKeyRules
from lapel.database.conformance.profiles import AchievementRules, IssuerRules, OrganisationRules
from lapel.database.conformance.values import ValueRules


class TestOrganisations(OrganisationRules): ...


class TestIssuers(IssuerRules): ...


class TestAchievements(AchievementRules): ...


class TestCredentials(CredentialRules): ...


class TestStatusLists(StatusListRules): ...


class TestSigningKeys(SigningKeyRules): ...


class TestApiKeys(ApiKeyRules): ...


class TestImages(ImageRules): ...


class TestServerFacts(ServerFactRules): ...


class TestValues(ValueRules): ...
