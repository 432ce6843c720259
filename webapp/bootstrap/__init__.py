"""Builds the services. What stands for the outside world is chosen in `outside`."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain.language import ENGLISH, Language
from ..domain.ports import Clock, Entropy, Mail, MessageRenderer, PasswordHasher, Places, Pushes, TextMessages
from ..enrollment.ceremonies import Ceremonies
from ..enrollment.service import Enrollment
from ..models.database import Database
from ..services.accounts import Accounts
from ..services.active_access import ActiveAccess, AppKind, RememberedKind, SessionKind
from ..services.activity import ActivityPages
from ..services.approvals import Approvals
from ..services.attempts import Attempts
from ..services.backup_codes import BackupCodes
from ..services.challenge import Challenges
from ..services.contacts import Contacts
from ..services.delivery import Delivery
from ..services.email_addresses import EmailAddresses
from ..services.enrollment_desk import EnrollmentDesk
from ..services.entry import Entry
from ..services.links import Links
from ..services.login import Login
from ..services.login_requests import LoginRequests
from ..services.maintenance import Maintenance
from ..services.named_factors import NamedFactors
from ..services.not_you import NotYou
from ..services.notices import Notices
from ..services.one_time_codes import OneTimeCodes
from ..services.outbox import Outbox
from ..services.passkeys import Passkeys
from ..services.password_attempts import PasswordAttempts
from ..services.password_changes import PasswordChanges
from ..services.passwords import Passwords
from ..services.phone_numbers import PhoneNumbers
from ..services.remembered_browsers import RememberedBrowsers
from ..services.request_pushes import RequestPushes
from ..services.restoration import Restoration
from ..services.second_factors import SecondFactors
from ..services.sessions import Sessions
from ..services.shown_once import ShownOnce
from ..services.sign_up import SignUp
from ..services.step_up import StepUp
from ..services.text_caps import TextCaps
from ..settings import Settings
from . import outside
from .apps import build as build_apps
from .house import Services as Services


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    entropy: Entropy | None = None,
    hasher: PasswordHasher | None = None,
    mail: Mail | None = None,
    texts: TextMessages | None = None,
    renderer: MessageRenderer | None = None,
    pushes: Pushes | None = None,
    places: Places | None = None,
    languages: Mapping[str, Language] | None = None,
) -> Services:
    """The whole house. What a test passes takes the place of the real thing."""
    policy, site_name, main_url = settings.policy, settings.site_name, settings.main_url
    clock, entropy = clock or outside.clock(), entropy or outside.entropy()
    hasher = hasher or outside.hasher(policy)
    mail, texts = mail or outside.mail(settings), texts or outside.texts(settings)
    pushes, places = pushes or outside.pushes(settings, clock), places or outside.places(settings)
    languages = languages or {ENGLISH.code: ENGLISH}
    db = Database(settings.database_url)
    keyring, renderer = outside.keyring(settings, entropy), renderer or outside.renderer(settings)
    outbox = Outbox(clock, entropy, keyring, renderer, languages)
    links = Links(db, clock, entropy, main_url)
    notices = Notices(clock, outbox, links, policy)
    attempts = Attempts(db, clock)
    sessions = Sessions(db, clock, entropy, policy)
    remembered = RememberedBrowsers(clock, entropy, policy)
    passwords = Passwords(db, hasher, policy, site_name)
    backup_codes = BackupCodes(clock, entropy)
    codes = OneTimeCodes(db, clock, entropy, keyring)
    caps = TextCaps(
        db=db,
        clock=clock,
        keyring=keyring,
        policy=policy,
        attempts=attempts,
        outbox=outbox,
        daily_budget=settings.sms_daily_budget,
        operator=settings.mail_from,
    )
    phones = PhoneNumbers(
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
        phone_url=settings.mobile_url,
        are_sent=pushes.public_key is not None,
    )
    login_requests = LoginRequests(
        db=db, clock=clock, entropy=entropy, keyring=keyring, policy=policy, attempts=attempts, pushes=request_pushes
    )
    challenges = Challenges(
        db=db,
        clock=clock,
        keyring=keyring,
        policy=policy,
        attempts=attempts,
        codes=phones,
        requests=login_requests,
        ceremonies=ceremonies,
        notices=notices,
    )
    password_attempts = PasswordAttempts(attempts, policy)
    entry = Entry(sessions, password_attempts, notices)
    can_text = not outside.is_mute(texts)
    apps = build_apps(
        db, clock, entropy, policy, attempts, password_attempts, passwords, sessions, phones, outbox, notices, can_text
    )
    log_in = Login(
        db=db,
        clock=clock,
        entropy=entropy,
        policy=policy,
        password_attempts=password_attempts,
        passwords=passwords,
        sessions=sessions,
        challenges=challenges,
        backup_codes=backup_codes,
        remembered=remembered,
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
        attempts=attempts,
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
        attempts=attempts,
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
        attempts=attempts,
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
    password_changes = PasswordChanges(
        db=db,
        clock=clock,
        policy=policy,
        attempts=attempts,
        passwords=passwords,
        sessions=sessions,
        links=links,
        outbox=outbox,
        notices=notices,
    )
    kinds = SessionKind(clock, sessions), RememberedKind(clock, remembered), AppKind(clock, apps.sessions)
    restoration = Restoration(db, clock, outside.heartbeat(settings))
    return Services(
        settings=settings,
        languages=languages,
        clock=clock,
        entropy=entropy,
        db=db,
        attempts=attempts,
        sessions=sessions,
        active_access=ActiveAccess(db=db, policy=policy, sessions=sessions, notices=notices, kinds=kinds),
        activity=ActivityPages(db, clock, policy),
        not_you=NotYou(
            db=db,
            clock=clock,
            links=links,
            sessions=sessions,
            password_changes=password_changes,
            notices=notices,
        ),
        passwords=passwords,
        sign_up=sign_up,
        login=log_in,
        passkeys=Passkeys(db, challenges, ceremonies, entry),
        challenges=challenges,
        ceremonies=ceremonies,
        step_up=step_up,
        shown_once=ShownOnce(clock, keyring, policy),
        password_changes=password_changes,
        email_addresses=email_addresses,
        phone_numbers=phones,
        text_caps=caps,
        contacts=Contacts(db=db, clock=clock, keyring=keyring, policy=policy, phones=phones),
        second_factors=SecondFactors(
            db=db, clock=clock, policy=policy, sessions=sessions, backup_codes=backup_codes, notices=notices
        ),
        named_factors=NamedFactors(db, policy, sessions, notices),
        temporary_passwords=apps.temporary_passwords,
        app_sessions=apps.sessions,
        legacy_access=apps.access,
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
        pushes=pushes,
        places=places,
        login_requests=login_requests,
        approvals=Approvals(db=db, clock=clock, policy=policy, requests=login_requests, notices=notices),
        delivery=Delivery(
            db,
            clock,
            outbox,
            mail,
            texts,
            policy,
            apps.refused_accesses.answer,
            pushes=pushes,
            gone=request_pushes.drop,
        ),
        accounts=Accounts(db=db, sessions=sessions, notices=notices),
        restoration=restoration,
        ways_out=frozenset({"texts"}) if can_text else frozenset(),
        maintenance=Maintenance(db=db, clock=clock, keyring=keyring, policy=policy),
    )


def check_restoration(services: Services) -> bool:
    """Before the first request, on a migrated database: makes a restored one safe, and says whether it lately was."""
    services.restoration.look()
    lately = services.restoration.was_lately()
    services.db.engine.dispose()  # a server may fork now, and no connection survives that
    return lately
