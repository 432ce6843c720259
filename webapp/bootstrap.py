"""Builds the services and methods, and chooses the adapters. No other module may choose an adapter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .adapters.catalogues import offered
from .adapters.embedded import NoPlaces, NoPushes, NoTexts, OutboxMail, OutboxTexts
from .adapters.heartbeat import FileHeartbeat
from .adapters.keyring import AesGcmKeyring
from .adapters.password_hashing import Argon2id
from .adapters.places import FilePlaces
from .adapters.server_requests import HttpRequests
from .adapters.smtp import SmtpMail
from .adapters.system import SystemClock, SystemEntropy
from .adapters.template_renderer import TemplateRenderer
from .adapters.vonage import VonageTexts
from .adapters.web_push import WebPush
from .domain.language import Languages
from .domain.ports import Adapters
from .methods.catalogue import Catalogue, Parts, catalogue
from .models.database import Database
from .services.active_access import active_access
from .services.activity import ActivityPages
from .services.apps import AppSessions, CallerCache, KnownNetworks, LegacyAccess, RefusedAccesses, TemporaryPasswords
from .services.attempts import Attempts
from .services.backup_codes import BackupCodes
from .services.ceremonies import Ceremonies
from .services.contacts import Contacts
from .services.core import Core
from .services.delivery import Delivery
from .services.email_addresses import EmailAddresses
from .services.email_undos import EmailUndos
from .services.enrollment.service import Enrollment
from .services.factors import Forecasts, NamedFactors, SecondFactors
from .services.guarded import Guarded
from .services.invitations import Invitations
from .services.kept_acts import KeptActs
from .services.links import Links
from .services.login import LoginServices
from .services.not_you import NotYou
from .services.notices import Notices
from .services.one_time_codes import OneTimeCodes
from .services.openid import OpenId
from .services.operation import Accounts, Advice, Maintenance, Proxies, Restoration
from .services.operators import Operators
from .services.outbox import Outbox
from .services.own_account import Deletions, Exports, Renames
from .services.password_attempts import PasswordAttempts
from .services.password_changes import PasswordChanges
from .services.password_proof import PasswordProof
from .services.passwords import Passwords
from .services.phone_numbers import PhoneNumbers
from .services.requests import Approvals, LoginRequests, RequestPushes
from .services.sessions import Sessions
from .services.shown_once import ShownOnce
from .services.sign_up import SignUp
from .services.text_caps import TextCaps
from .services.usernames import Usernames
from .settings import ROOT, Settings


def adapters(settings: Settings) -> Adapters:
    policy, mail, gateway, push = settings.policy, settings.mail, settings.text_gateway, settings.push
    clock, entropy, without_gateway = SystemClock(), SystemEntropy(), OutboxTexts if settings.shows_outbox else NoTexts
    return Adapters(
        clock,
        entropy,
        Argon2id(policy),
        SmtpMail(mail, settings.mail_from, policy.mail_timeout) if mail else OutboxMail(),
        VonageTexts(gateway, policy.text_timeout) if gateway else without_gateway(),
        TemplateRenderer(ROOT / "templates", settings.site_name, settings.main_url, reload=not settings.serving),
        WebPush(push, policy.push_timeout, clock) if push.private_key else NoPushes(),
        FilePlaces(settings.places_file) if settings.places_file else NoPlaces(),
        HttpRequests(settings.private_addresses, policy.server_timeout, policy.server_answer_bytes),
    )


class Services:
    """Every service that pages, commands and the worker may use."""

    def __init__(
        self, settings: Settings, db: Database, ports: Adapters, languages: Languages, methods: Catalogue
    ) -> None:
        self.settings, self.languages, self.clock, self.entropy = settings, languages, ports.clock, ports.entropy
        self.mail, self.texts, self.pushes, self.places = ports.mail, ports.texts, ports.pushes, ports.places
        self.db, site, url, ways = db, settings.site_name, settings.main_url, (ports.mail, ports.texts, ports.pushes)
        keyring = AesGcmKeyring(settings.encryption_keys, ports.entropy)
        self.core = core = Core(self.db, ports.clock, ports.entropy, keyring, settings.policy)
        self.outbox, self.links = Outbox(core, ports.renderer, languages), Links(core, url)
        self.notices = tell = Notices(core, self.outbox, self.links)
        self.attempts, self.sessions = attempts, sessions = Attempts(core), Sessions(core)
        self.passwords = passwords = Passwords(core, ports.hasher, site)
        guesses, codes, self.backup_codes = PasswordAttempts(core, attempts), OneTimeCodes(core), BackupCodes(core)
        self.text_caps = TextCaps(core, attempts, self.outbox, settings.sms_daily_budget, settings.mail_from)
        numbers = PhoneNumbers(core, codes, self.text_caps, self.outbox, tell, sessions, settings.sms_countries)
        owned, key, hosts = (self.links, tell, self.outbox), ports.pushes.public_key, settings.push.hosts
        self.email_addresses = emails = EmailAddresses(core, attempts, codes, sessions, *owned, url)
        self.email_undos = EmailUndos(core, self.links, sessions, tell, self.outbox, url)
        self.ceremonies = Ceremonies(core, site, settings.main_host.partition(":")[0], settings.origins)
        pushes = RequestPushes(core, self.outbox, ports.places, site, settings.mobile_url, key is not None)
        self.login_requests, self.app_sessions = LoginRequests(core, attempts, pushes), AppSessions(core)
        self.approvals = Approvals(core, self.login_requests, tell)
        parts = (codes, self.outbox, numbers, self.ceremonies, self.login_requests)
        self.methods = known = methods(Parts(core, attempts, *parts, site, ports.texts.available, hosts, key))
        proof = (core, attempts, self.backup_codes, tell, self.methods, sessions)
        own = LoginServices(*proof, guesses, passwords, self.links, self.outbox)
        self.login, self.step_up, self.passkeys, self.login_links = own.login, own.step_up, own.passkeys, own.links
        self.kept_acts, self.shown_once, self.usernames = KeptActs(core), ShownOnce(core), Usernames(core, site)
        self.password_proof = PasswordProof(core, attempts, passwords, sessions)
        self.enrollment = Enrollment(core, attempts, sessions, self.password_proof, emails, self.backup_codes, tell)
        self.second_factors = SecondFactors(core, sessions, self.backup_codes, tell, self.methods)
        self.named_factors, self.forecasts = NamedFactors(core, sessions, tell), Forecasts(self.methods)
        self.sign_up = SignUp(core, attempts, passwords, sessions, tell, self.usernames, numbers, settings.sign_up_open)
        changing = (guesses, passwords, sessions, self.links, self.outbox, tell)
        self.invitations = Invitations(core, self.sign_up, self.usernames, *changing)
        self.password_changes = PasswordChanges(core, attempts, *changing)
        self.not_you = NotYou(core, self.links, sessions, self.password_changes, tell)
        self.contacts, self.activity, self.proxies = Contacts(core, numbers), ActivityPages(core), Proxies(core)
        self.temporary_passwords = TemporaryPasswords(core, attempts, sessions, numbers, self.outbox, tell)
        refused = RefusedAccesses(core, self.temporary_passwords, ports.texts.available)
        proving = (guesses, KnownNetworks(core), passwords, self.temporary_passwords, self.app_sessions)
        self.legacy_access = LegacyAccess(core, *proving, refused, tell, CallerCache(core))
        self.active_access = active_access(core, sessions, own.remembered, self.app_sessions, tell)
        self.exports, self.phone_numbers = Exports(core, attempts, sessions, tell), numbers
        self.renames = Renames(core, attempts, self.usernames, sessions, *owned, settings.username_change)
        self.deletions = Deletions(core, sessions, *owned, self.usernames, url)
        self.accounts = Accounts(core, sessions, tell, self.deletions, self.renames)
        self.openid = OpenId(core, attempts, sessions, tell, self.outbox, self.methods, ports.servers, url, languages)
        origins, told = settings.origins, self.openid.back_channel
        self.operators = Operators(core, sessions, *owned, known, told, origins, attempts, numbers, pushes, ports)
        self.guarded = Guarded(core, attempts, sessions, tell, self.openid, self.legacy_access)
        beats = FileHeartbeat(settings.instance, settings.database_url)
        self.delivery = Delivery(core, self.outbox, *ways, told.send, (refused.process, told.owe_ended), pushes.drop)
        self.restoration, self.maintenance = Restoration(core, beats, self.methods), Maintenance(core, self.deletions)
        self.advice = Advice(core, self.app_sessions, self.usernames, settings.sign_up_open, settings.legacy_access)


def build(
    settings: Settings,
    *,
    db: Database | None = None,
    languages: Languages | None = None,
    methods: Catalogue = catalogue,
    **doubles: Any,
) -> Services:
    """`languages` and `doubles`, which are fields of `Adapters`, are what a test passes in place of the real ones."""
    ports = replace(adapters(settings), **doubles)
    return Services(settings, db or Database(settings.database_url), ports, languages or offered(), methods)
