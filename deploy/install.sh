#!/usr/bin/env bash
# Installs this checkout on one Debian machine, or upgrades what is installed: run it again, as root, after a pull.
#
#   deploy/install.sh login.example.org [nginx|caddy]
#
# It makes the user `nightlatch`, /opt/nightlatch (releases; `current` is the one that runs), /etc/nightlatch/environment
# with new keys, /var/lib/nightlatch, the units of deploy/systemd, the command `nightlatch`, and the file of the proxy.
# Settings and the file of the proxy are written once and never changed. A release that cannot be installed leaves the
# running one as it is. The database is migrated when the web server starts: make a backup before an upgrade.
set -euo pipefail

host=${1:-}
proxy=${2:-nginx}
[[ $host =~ ^[a-z0-9.-]+\.[a-z0-9-]+$ && $proxy =~ ^(nginx|caddy)$ ]] || {
  echo "Usage: deploy/install.sh login.example.org [nginx|caddy]" >&2
  exit 2
}
[ "$(id -u)" = 0 ] || { echo "Run it as root." >&2; exit 2; }
cd "$(dirname "$0")/.."
settings=/etc/nightlatch/environment
releases=/opt/nightlatch/releases
has_systemd() { [ -d /run/systemd/system ]; }

# -- Packages --------------------------------------------------------------------------------------------------

missing=()
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
command -v make >/dev/null || missing+=(make)
command -v openssl >/dev/null || missing+=(openssl)
case $proxy in
  nginx) [ -x /usr/sbin/nginx ] || missing+=(nginx-light) ;;
  caddy)
    command -v caddy >/dev/null || missing+=(caddy)
    [ -x /usr/sbin/nft ] || missing+=(nftables)
    ;;
esac
if [ "${#missing[@]}" -gt 0 ]; then
  echo "Installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# -- User, folders and units -----------------------------------------------------------------------------------

install -D -m 644 deploy/systemd/nightlatch.sysusers /etc/sysusers.d/nightlatch.conf
install -D -m 644 deploy/systemd/nightlatch.tmpfiles /etc/tmpfiles.d/nightlatch.conf
systemd-sysusers nightlatch.conf
install -d -m 755 /etc/nightlatch "$releases"
install -d -m 700 -o nightlatch -g nightlatch /var/lib/nightlatch
install -m 644 deploy/systemd/*.service deploy/systemd/*.socket deploy/systemd/*.timer /etc/systemd/system/
install -D -m 644 deploy/systemd/nightlatch-.service.d/shared.conf \
  /etc/systemd/system/nightlatch-.service.d/shared.conf
install -m 755 deploy/systemd/nightlatch /usr/local/sbin/nightlatch

# -- The release -----------------------------------------------------------------------------------------------

release=$releases/$(date -u +%Y%m%d-%H%M%S)
trap 'rm -rf "$release"' EXIT
mkdir "$release"
cp -R CHANGELOG.md LICENSE Makefile README.md deploy docs migrations pyproject.toml requirements.lock static templates \
  webapp wsgi.py "$release"
make -s -C "$release" .venv/languages
find "$release" -name __pycache__ -not -path '*/.venv/*' -prune -exec rm -rf {} +
"$release/.venv/bin/python" -m compileall -q "$release/webapp" "$release/migrations" "$release/wsgi.py"
ln -s /var/lib/nightlatch "$release/instance"

# -- Settings --------------------------------------------------------------------------------------------------

new_keys='from webapp.keys import generate_keys
for name, value in generate_keys().items():
    print(f"NIGHTLATCH_{name}={value}")'
if [ ! -e "$settings" ]; then
  (umask 077 && sed "s/login\.example\.org/$host/g" deploy/systemd/environment.example >"$settings.new")
  (cd "$release" && .venv/bin/python -c "$new_keys") >>"$settings.new"
  mv "$settings.new" "$settings"
fi

# -- The proxy -------------------------------------------------------------------------------------------------

certificate=/etc/ssl/$host
if [ "$proxy" = nginx ]; then
  if [ ! -e "$certificate.pem" ]; then
    echo "Making a certificate that browsers do not trust: put the real one into $certificate.pem and .key"
    # not the host as the common name, which may have 64 characters only
    (umask 077 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 -subj /CN=Nightlatch \
      -addext "subjectAltName=DNS:$host,DNS:mobile.$host" -out "$certificate.pem" -keyout "$certificate.key" 2>/dev/null)
  fi
  file=/etc/nginx/sites-available/nightlatch
  if [ ! -e "$file" ]; then
    sed "s/login\.example\.org/$host/g" deploy/nginx.conf >"$file"
    ln -sf "$file" /etc/nginx/sites-enabled/nightlatch
    [[ " ${missing[*]} " != *" nginx-light "* ]] || rm -f /etc/nginx/sites-enabled/default  # of an nginx that was new
  fi
  nginx -t -q
else
  file=/etc/caddy/Caddyfile
  if ! grep -q "mobile.$host" "$file" 2>/dev/null; then
    changed=$(dpkg --verify caddy 2>&1 || true)
    if [ -e "$file" ] && [[ $changed == *"$file"* || $changed == *"not installed"* ]]; then
      echo "$file is in use: add what is in deploy/Caddyfile to it, then run this again." >&2
      exit 1
    fi
    [ ! -e "$file" ] || mv "$file" "$file.before-nightlatch"
    sed -e "s/login\.example\.org/$host/g" -e '/^\ttls /d' deploy/Caddyfile >"$file"
  fi
  install -m 644 deploy/nftables.conf /etc/nightlatch/nftables.conf
  install -D -m 644 deploy/systemd/caddy.service.d/nightlatch.conf /etc/systemd/system/caddy.service.d/nightlatch.conf
  said=$(caddy validate --config "$file" --adapter caddyfile 2>&1) || { echo "$said" >&2; exit 1; }
fi

# -- The settings, before anything changes that runs -----------------------------------------------------------

can_read_settings='import os, sys
from webapp.settings import Settings, SettingsError
try:
    Settings.read({**os.environ, "NIGHTLATCH_SERVING": "1"})
except SettingsError as error:
    sys.exit(f"{error} Change it, then run this again.")'
if has_systemd && grep -q '^NIGHTLATCH_MAIL_URL=.' "$settings"; then
  systemd-run --quiet --collect --wait --pipe --uid=nightlatch --property=EnvironmentFile="$settings" \
    --working-directory="$release" "$release/.venv/bin/python" -c "$can_read_settings"
fi

# -- Start -----------------------------------------------------------------------------------------------------

trap - EXIT
ln -sfn "$release" /opt/nightlatch/current.new
mv -T /opt/nightlatch/current.new /opt/nightlatch/current
find "$releases" -mindepth 1 -maxdepth 1 | sort | head -n -3 | xargs -r rm -rf
units=(nightlatch-web.socket nightlatch-web.service nightlatch-worker.service nightlatch-purge.timer)
systemctl enable -q "${units[@]}"
if ! grep -q '^NIGHTLATCH_MAIL_URL=.' "$settings"; then
  echo "Installed. Set NIGHTLATCH_MAIL_URL in $settings, then run this again."
elif ! has_systemd; then
  echo "Installed, and not started, because systemd does not run here."
else
  systemd-tmpfiles --create nightlatch.conf
  systemctl daemon-reload
  systemctl start nightlatch-web.socket nightlatch-purge.timer
  systemctl restart nightlatch-web.service nightlatch-worker.service
  [ "$proxy" = nginx ] || nft -f /etc/nightlatch/nftables.conf
  systemctl reload-or-restart "$proxy"
  echo "Running. Next: nightlatch accounts invite --email you@example.org"
fi
