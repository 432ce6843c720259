"""django-two-factor-auth, as its page "Installation" sets it up."""

from __future__ import annotations

import sys
from base64 import b32encode

import django
import django_project
import shared

sys.modules["app"] = sys.modules[__name__]  # the name of the URLs below, also when this file is the command

django_project.configure(
    "app",
    apps=["django_otp", "django_otp.plugins.otp_static", "django_otp.plugins.otp_totp", "two_factor"],
    middleware=["django_otp.middleware.OTPMiddleware"],
    LOGIN_URL="two_factor:login",
    LOGIN_REDIRECT_URL="two_factor:profile",
)
django.setup()

from django.contrib.auth.hashers import check_password, make_password  # noqa: E402  # models need the settings above
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path  # noqa: E402
from django_otp.plugins.otp_totp.models import TOTPDevice  # noqa: E402
from two_factor.urls import urlpatterns as two_factor_urls  # noqa: E402

urlpatterns = [path("", include(two_factor_urls))]
application = get_wsgi_application()


def seed(count: int) -> str:
    user = django_project.seed_users(count)
    device = TOTPDevice.objects.create(user=user, name="default")
    django_project.copy(TOTPDevice, count, user_id="i")
    return b32encode(device.bin_key).decode()


if __name__ == "__main__":
    encoded = make_password(shared.PASSWORD)
    shared.main(seed, lambda: check_password(shared.PASSWORD, encoded))
