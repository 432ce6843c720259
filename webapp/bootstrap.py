"""Builds the services, behind the adapters that `outside` chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import outside
from .adapters.keyring import AesGcmKeyring
from .adapters.letters import Letters
from .adapters.system import SystemClock, SystemEntropy
from .domain.language import ENGLISH, Language
from .domain.ports import Clock, Entropy, Mail, PasswordHasher, Places, Pushes, TextMessages
from .enrollment.ceremonies import Ceremonies
from .enrollment.method import Method
from .enrollment.service import Enrollment
from .models.database import Database
from .services.accounts import Accounts
from .services.approvals import Approvals
from .services.backup_codes import BackupCodes
from .services.challenge import Challenges
from .services.contacts import Contacts
from .services.delivery import Delivery
from .services.email_addresses import EmailAddresses
from .services.enrollment_desk import EnrollmentDesk
from .services.entry import Entry
from .services.links import Links
from .services.log_in import LogIn
from .services.login_requests import LoginRequests
from .services.named_factors import NamedFactors
from .services.notices import Notices
from .services.one_time_codes import OneTimeCodes
from .services.outbox import Outbox
from .services.passkeys import Passkeys
from .services.password_changes import PasswordChanges
from .services.password_tries import PasswordTries
from .services.passwords import Passwords
from .services.phones import Phones
from .services.remembered_browsers import RememberedBrowsers
from .services.request_pushes import RequestPushes
from .services.restoration import Restoration
from .services.second_factors import SecondFactors
from .services.sessions import Sessions
from .services.sign_up import SignUp
from .services.step_up import StepUp
from .services.text_caps import TextCaps
from .services.tries import Tries
from .services.upkeep import Upkeep
from .settings import ROOT, Settings


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    languages: Mapping[str, Language]
    clock: Clock
    entropy: Entropy
    db: Database
    tries: Tries
    sessions: Sessions
    passwords: Passwords
    sign_up: SignUp
    log_in: LogIn
    passkeys: Passkeys
    challenges: Challenges
    ceremonies: Ceremonies
    step_up: StepUp
    password_changes: PasswordChanges
    email_addresses: EmailAddresses
    phones: Phones
    text_caps: TextCaps
    contacts: Contacts
    second_factors: SecondFactors
    named_factors: NamedFactors
    enrollment: Enrollment
    links: Links
    notices: Notices
    outbox: Outbox
    mail: Mail
    texts: TextMessages
    pushes: Pushes
    places: Places
    login_requests: LoginRequests
    approvals: Approvals
    delivery: Delivery
    accounts: Accounts
    upkeep: Upkeep
    restoration: Restoration
    ways_out: frozenset[str]
    """What a method may need and this house has."""

    def offers(self, method: Method) -> bool:
        return method.needs is None or method.needs in self.ways_out


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    hasher: PasswordHasher | None = None,
    mail: Mail | None = None,
    texts: TextMessages | None = None,
    pushes: Pushes | None = None,
    places: Places | None = None,
    languages: Mapping[str, Language] | None = None,
) -> Services:
    """The whole house. What a test passes takes the place of the real thing."""
    policy, site_name, main_url = settings.policy, settings.site_name, settings.main_url
    clock = clock or SystemClock()
    entropy = entropy or SystemEntropy()
    hasher = hasher or outside.hasher(settings)
    mail = mail or outside.mail(settings)
    texts = texts or outside.texts(settings)
    pushes = pushes or outside.pushes(settings, clock)
    places = places or outside.places(settings)
    languages = languages or {ENGLISH.code: ENGLISH}
    db = Database(settings.database_url)
    keyring = AesGcmKeyring(settings.encryption_keys, entropy)
    letters = Letters(ROOT / "templates", site_name, main_url, reload=not settings.serving)
    outbox = Outbox(clock, entropy, keyring, letters, languages)
    links = Links(db, clock, entropy, main_url)
    notices = Notices(clock, outbox, links, policy)
    tries = Tries(db, clock)
    sessions = Sessions(db, clock, entropy, policy)
    passwords = Passwords(db, hasher, policy, site_name)
    backup_codes = BackupCodes(clock, entropy)
    codes = OneTimeCodes(db, clock, entropy, keyring)
    caps = TextCaps(
        db=db,
        clock=clock,
        keyring=keyring,
        policy=policy,
        tries=tries,
        outbox=outbox,
        daily_budget=settings.sms_daily_budget,
        operator=settings.mail_from,
    )
    phones = Phones(
        db=db,
        keyring=keyring,
        policy=policy,
        codes=codes,
        caps=caps,
        outbox=outbox,
        notices=notices,
        countries=settings.sms_countries,
    )
    ceremonies = Ceremonies(
        clock, entropy, keyring, policy, site_name, settings.main_host.partition(":")[0], settings.origins
    )
    request_pushes = RequestPushes(
        db=db,
        clock=clock,
        keyring=keyring,
        policy=policy,
        outbox=outbox,
        places=places,
        site_name=site_name,
        phone_url=settings.phone_url,
        are_sent=pushes.public_key is not None,
    )
    login_requests = LoginRequests(
        db=db, clock=clock, entropy=entropy, keyring=keyring, policy=policy, tries=tries, pushes=request_pushes
    )
    challenges = Challenges(
        db=db,
        clock=clock,
        keyring=keyring,
        policy=policy,
        tries=tries,
        codes=phones,
        requests=login_requests,
        ceremonies=ceremonies,
        notices=notices,
    )
    password_tries = PasswordTries(tries, policy)
    entry = Entry(sessions, password_tries, notices)
    log_in = LogIn(
        db=db,
        clock=clock,
        entropy=entropy,
        policy=policy,
        password_tries=password_tries,
        passwords=passwords,
        sessions=sessions,
        challenges=challenges,
        backup_codes=backup_codes,
        remembered=RememberedBrowsers(db, clock, entropy, policy),
        notices=notices,
        entry=entry,
        requests=login_requests,
    )
    step_up = StepUp(
        db=db,
        clock=clock,
        entropy=entropy,
        keyring=keyring,
        policy=policy,
        tries=tries,
        passwords=passwords,
        sessions=sessions,
        challenges=challenges,
        backup_codes=backup_codes,
        notices=notices,
    )
    email_addresses = EmailAddresses(
        db=db,
        clock=clock,
        policy=policy,
        tries=tries,
        codes=codes,
        outbox=outbox,
        notices=notices,
        links=links,
        sessions=sessions,
        main_url=main_url,
    )
    desk = EnrollmentDesk(
        clock=clock,
        policy=policy,
        tries=tries,
        sessions=sessions,
        step_up=step_up,
        email_addresses=email_addresses,
        phones=phones,
        backup_codes=backup_codes,
        notices=notices,
        push_hosts=settings.push.hosts,
        push_key=pushes.public_key,
    )
    sign_up = SignUp(db=db, clock=clock, policy=policy, passwords=passwords, sessions=sessions, notices=notices)
    restoration = Restoration(db, clock, outside.heartbeat(settings))
    return Services(
        settings=settings,
        languages=languages,
        clock=clock,
        entropy=entropy,
        db=db,
        tries=tries,
        sessions=sessions,
        passwords=passwords,
        sign_up=sign_up,
        log_in=log_in,
        passkeys=Passkeys(db, challenges, ceremonies, entry),
        challenges=challenges,
        ceremonies=ceremonies,
        step_up=step_up,
        password_changes=PasswordChanges(
            db=db,
            clock=clock,
            policy=policy,
            tries=tries,
            passwords=passwords,
            sessions=sessions,
            links=links,
            outbox=outbox,
            notices=notices,
        ),
        email_addresses=email_addresses,
        phones=phones,
        text_caps=caps,
        contacts=Contacts(db=db, clock=clock, keyring=keyring, policy=policy, phones=phones),
        second_factors=SecondFactors(
            db=db, clock=clock, policy=policy, sessions=sessions, backup_codes=backup_codes, notices=notices
        ),
        named_factors=NamedFactors(db, policy, sessions, notices),
        enrollment=Enrollment(
            db=db,
            clock=clock,
            entropy=entropy,
            keyring=keyring,
            policy=policy,
            desk=desk,
            site_name=site_name,
            ceremonies=ceremonies,
        ),
        links=links,
        notices=notices,
        outbox=outbox,
        mail=mail,
        texts=texts,
        login_requests=login_requests,
        approvals=Approvals(db=db, clock=clock, policy=policy, requests=login_requests, notices=notices),
        pushes=pushes,
        places=places,
        delivery=Delivery(db, clock, outbox, mail, texts, policy, pushes=pushes, gone=request_pushes.drop),
        accounts=Accounts(db=db, links=links, sessions=sessions, notices=notices),
        restoration=restoration,
        ways_out=outside.ways_out(texts),
        upkeep=Upkeep(db=db, clock=clock, keyring=keyring, policy=policy),
    )


def open_doors(services: Services) -> bool:
    """Before the first request, on a migrated database: makes a restored one safe, and says whether it lately was."""
    services.restoration.look()
    lately = services.restoration.was_lately()
    services.db.engine.dispose()  # a server may fork now, and no connection survives that
    return lately
