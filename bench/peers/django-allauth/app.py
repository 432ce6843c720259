"""django-allauth with multi-factor authentication, as its pages "Quickstart" and "Introduction" (of mfa) set it up."""

from __future__ import annotations

import sys

import django
import django_project
import shared

sys.modules["app"] = sys.modules[__name__]  # the name of the URLs below, also when this file is the command

django_project.configure(
    "app",
    apps=["allauth", "allauth.account", "allauth.mfa"],
    middleware=["allauth.account.middleware.AccountMiddleware"],
    AUTHENTICATION_BACKENDS=[
        "django.contrib.auth.backends.ModelBackend",
        "allauth.account.auth_backends.AuthenticationBackend",
    ],
    LOGIN_REDIRECT_URL="/",
    MFA_TOTP_ISSUER="Bench",
    ACCOUNT_RATE_LIMITS=False,  # all logins come from one address
)
django.setup()

from allauth.account.models import EmailAddress  # noqa: E402  # models need the settings above
from allauth.mfa.models import Authenticator  # noqa: E402
from allauth.mfa.totp.internal import auth  # noqa: E402
from django.contrib.auth.decorators import login_required  # noqa: E402
from django.contrib.auth.hashers import check_password, make_password  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import include, path  # noqa: E402


@login_required
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Hello {request.user.username}")


urlpatterns = [path("accounts/", include("allauth.urls")), path("", home)]
application = get_wsgi_application()


def seed(count: int) -> str:
    user, secret = django_project.seed_users(count), auth.generate_totp_secret()
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    auth.TOTP.activate(user, secret)
    django_project.copy(EmailAddress, count, user_id="i", email="'bench' || i || '@example.org'")
    django_project.copy(Authenticator, count, user_id="i")
    return secret


if __name__ == "__main__":
    encoded = make_password(shared.PASSWORD)
    shared.main(seed, lambda: check_password(shared.PASSWORD, encoded))
