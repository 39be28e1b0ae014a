# shellcheck shell=sh
# The steps that install.sh, update.sh, uninstall.sh and party share. Each does nothing where all is right already, and
# ends with a sentence where it cannot be done.

PARTY=/opt/party
SETTINGS=/etc/party.env
# Where it is found from outside. Not among the settings: a version before 1.4.0 does not know it, so its start would
# refuse it, and nobody could go back.
ADDRESS=/etc/party.address
FILE=$PARTY/instance/party.db # where the log is when PARTY_JOURNAL names no place
ANSWERS=/etc/party.installed # what install.sh was told
UNITS=/etc/systemd/system
SITE=/etc/nginx/conf.d/party.conf
LOCATION=/etc/nginx/party/location.conf
LINE="include /etc/nginx/party/*.conf;" # with a *, nginx does not mind when the file is gone
PROOFS=/var/www/party # where nginx_site.py lets certbot prove that the name is ours
BACKUPS=/var/lib/party-backups # of party-backup.service
PAGES=/var/lib/party-published # what nginx may read; nginx_site.py says so too
COMMAND=/usr/local/bin/party
OWN_REDIS=unix:///run/party-redis/redis.sock
FIRST_PORT=5001
READY_SECONDS=20
MARK="# Written by deploy/install.sh of Discuss Party: what is changed here is lost."
OUR_FILES="$SITE $LOCATION $UNITS/party@.service $UNITS/party-redis.service $UNITS/party-services.service
  $UNITS/party-backup.service $UNITS/party-backup.timer $ANSWERS $ADDRESS"

PATH=$PATH:/usr/sbin:/sbin # where Debian keeps nginx
changed= # the files that were written
stopped= # the ports whose processes stand still meanwhile, and run again however this ends

say() {
  printf '%s\n' "$*"
}

fail() {
  printf '%s\n' "$*" >&2
  has_said_why=yes
  exit 1
}

say_how_it_ended() {
  status=$?
  for port in $stopped; do
    systemctl start "party@$port" || true
  done
  [ -z "${work:-}" ] || rm -rf "$work"
  if [ "$status" != 0 ] && [ -z "${has_said_why:-}" ]; then
    echo "It stopped there, and what it said last says why. To run the same again is safe." >&2
  fi
}

begin() {
  trap say_how_it_ended EXIT
  trap 'exit 130' INT TERM HUP
  umask 022 # the party reads its code as another user
  [ "$(id -u)" = 0 ] || fail "Only root can do that: put sudo in front."
  exec 9>/run/party-install.lock
  if command -v flock >/dev/null && ! flock -n 9; then
    fail "Another install, update or uninstall is running. Wait for its end, and run this again."
  fi
  work=$(mktemp -d)
}

recall_the_answers() {
  address='' processes='' tls='' certificate='' key='' email=''
  # shellcheck source=/dev/null
  [ ! -e "$ANSWERS" ] || . "$ANSWERS"
}

url() {
  case $tls in
    named | certbot | site) echo "https://${address%/}/" ;;
    *) echo "http://${address%/}/" ;;
  esac
}

has_systemd() {
  [ -d /run/systemd/system ]
}

ports() {
  seq "$FIRST_PORT" $((FIRST_PORT + processes - 1))
}

# Those whose processes start with the machine, however many were wanted last: a first start that failed may be among
# them.
ports_there() {
  [ ! -d "$UNITS/multi-user.target.wants" ] ||
    find "$UNITS/multi-user.target.wants" -name 'party@*.service' | sed 's/.*@//; s/\.service$//' | sort
}

journal() {
  [ ! -e "$SETTINGS" ] || sed -n 's/^PARTY_JOURNAL=//p' "$SETTINGS" | tail -n 1
}

# Whether the log is in a Redis of the party's own, or will be.
has_own_redis() {
  case $(journal) in
    '') [ "$processes" != 1 ] ;;
    "$OWN_REDIS") ;;
    *) return 1 ;;
  esac
}

# as_party PROGRAM …: as the party runs: as its user, in its folder, with its Python and its settings.
as_party() (
  settings_of_the_party
  umask 077 # what it writes is the party's alone
  cd "$PARTY" || exit
  export PATH="$PARTY/.venv/bin:$PATH"
  exec runuser -u party -- "$@"
)

settings_of_the_party() {
  export_all_of "$ADDRESS"
  export_all_of "$SETTINGS"
}

# As systemd reads them: NAME=value, where quotes around the value are not part of it.
export_all_of() {
  [ -e "$1" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      '#'* | ';'*) continue ;;
      [A-Z]*=*) ;;
      *) continue ;;
    esac
    value=${line#*=}
    case $value in
      \"*\") value=${value#\"} value=${value%\"} ;;
      \'*\') value=${value#\'} value=${value%\'} ;;
    esac
    export "${line%%=*}=$value"
  done <"$1"
}

is_our_command() {
  [ "$(readlink "$COMMAND")" = "$PARTY/deploy/party" ]
}

# restore FILE: puts a backup into an empty place. The party may not read it where it lies, so it gets a copy.
restore() {
  install -d -o party -g party -m 700 "$PARTY/instance" &&
    install -o party -g party -m 600 "$1" "$work/backup" && chmod 711 "$work" &&
    as_party flask --app app restore "$work/backup"
}

# Else what runs would be stopped, and not come back.
ensure_settings_make_sense() {
  as_party python users.py >/dev/null || fail "So nothing was stopped. Mend that, and run this again."
}

# --- Files ------------------------------------------------------------------------------------------------------------

is_ours() {
  [ -e "$1" ] && [ "$(head -n 1 "$1")" = "$MARK" ]
}

ensure_ours() {
  for file in $OUR_FILES; do
    if [ -e "$file" ] && ! is_ours "$file"; then
      fail "$file is there, and install.sh did not write it. Move it away, and run this again."
    fi
  done
}

# write_ours FILE SOURCE: what stands in SOURCE below our mark.
write_ours() {
  { echo "$MARK" && cat "$2"; } >"$work/new"
  if ! cmp -s "$work/new" "$1"; then
    mkdir -p "$(dirname "$1")"
    cat "$work/new" >"$1" # not moved: a new file has the right owner and mode, and an old one keeps them
    changed="$changed $1"
  fi
}

has_changed() {
  case "$changed " in
    *" $1 "*) ;;
    *) return 1 ;;
  esac
}

# --- What it runs on --------------------------------------------------------------------------------------------------

# A folder for each list of requirements: to go back to a version is to go back to its folder.
install_requirements() { # of that version
  git -C "$PARTY" show "$1:requirements.txt" >"$work/requirements.txt"
  venv=.venvs/$({ python3 --version && cat "$work/requirements.txt"; } | sha256sum | cut -c 1-12)
  [ ! -e "$PARTY/$venv/installed" ] || return 0
  say "Installing what it needs into $PARTY/$venv."
  rm -rf "${PARTY:?}/$venv"
  python3 -m venv "$PARTY/$venv" || fail "python3 cannot make a folder for its packages: apt-get install python3-venv"
  "$PARTY/$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    -r "$work/requirements.txt" || fail "The packages could not be fetched: is there a network? Run this again then."
  "$PARTY/$venv/bin/python" -m pip check >"$work/said" || fail "$(cat "$work/said")
requirements.txt is not complete: that is a mistake of this version. Name another one."
  touch "$PARTY/$venv/installed"
}

use_requirements() {
  [ "$(readlink "$PARTY/.venv")" = "$venv" ] && return
  [ -L "$PARTY/.venv" ] || rm -rf "$PARTY/.venv" # made by hand
  ln -sfn "$venv" "$PARTY/.venv"
  changed="$changed $PARTY"
}

prepare_the_code() {
  (cd "$PARTY" && .venv/bin/python -m compileall -q app.py users.py party runtime services) || return 1
  (cd "$PARTY" && .venv/bin/python -m runtime.assets) || say "Going on without them: the page then needs its CDN."
}

# --- Units ------------------------------------------------------------------------------------------------------------

# instance/ is for the party alone; its pages are for everybody, so they lie outside.
place_the_pages() {
  install -d -o party -g party -m 755 "$PAGES"
  [ -e "$PARTY/instance/published" ] || ln -sfn "$PAGES" "$PARTY/instance/published"
}

place_units() {
  place_the_pages
  before=$changed
  for unit in party@.service party-services.service party-backup.service party-backup.timer; do
    write_ours "$UNITS/$unit" "$PARTY/deploy/$unit"
  done
  ! has_own_redis || write_ours "$UNITS/party-redis.service" "$PARTY/deploy/party-redis.service"
  if has_systemd && [ "$before" != "$changed" ]; then
    systemctl daemon-reload
  fi
}

start_processes() {
  for port in $(ports); do
    systemctl enable --quiet "party@$port"
    systemctl is-active --quiet "party@$port" || systemctl start "party@$port" || tell_why_not "$port"
    is_ready "$port" || tell_why_not "$port"
  done
}

# Each start of a process of the party starts the services, too: it wants them. What is new reaches them by a restart, and
# nobody waits for them.
restart_services() {
  systemctl restart party-services || say "The services do not start: journalctl -u party-services says why."
}

stop_services() {
  systemctl stop party-services 2>/dev/null || true
}

tell_why_not() {
  journalctl --unit "party@$1" --lines 5 --output cat >&2 2>/dev/null || true
  fail "The party on port $1 does not start. What it says is in: journalctl -u party@$1"
}

# is_ready PORT [SECONDS]: waits until /readyz of the process on that port says so.
is_ready() {
  python3 - "$1" "${2:-$READY_SECONDS}" <<'PYTHON'
import sys
import time
from urllib.request import ProxyHandler, build_opener

port, seconds = map(int, sys.argv[1:])
without_a_proxy = build_opener(ProxyHandler({}))
until = time.monotonic() + seconds
while time.monotonic() < until:
    try:
        without_a_proxy.open(f"http://127.0.0.1:{port}/readyz", timeout=2)
        sys.exit()
    except OSError:
        time.sleep(0.05)
sys.exit(1)
PYTHON
}

# --- nginx ------------------------------------------------------------------------------------------------------------

nginx_is_right() {
  nginx -t >"$work/nginx" 2>&1
}

is_below_a_path() {
  case $address in
    */*) ;;
    *) return 1 ;;
  esac
}

# place_site [CERTIFICATE KEY]: writes our files for nginx and lets it read them. Where it refuses, they are again what
# they were before: gone, if they are new.
place_site() {
  nginx_is_right || fail "$(cat "$work/nginx")
nginx refuses its own settings as they are, before the party's. Mend what it says, and run this again."
  set -- "$address" --processes "$processes" ${1:+--certificate "$1" --key "$2"}
  for file in "$SITE" "$LOCATION"; do
    rm -f "$work/${file##*/}"
    [ ! -e "$file" ] || cp "$file" "$work/${file##*/}"
  done
  python3 "$PARTY/deploy/nginx_site.py" site "$@" >"$work/site"
  write_ours "$SITE" "$work/site"
  if is_below_a_path; then
    python3 "$PARTY/deploy/nginx_site.py" location "$address" >"$work/location"
    write_ours "$LOCATION" "$work/location"
  else
    take_away "$LOCATION"
  fi
  if ! nginx_is_right; then
    for file in "$SITE" "$LOCATION"; do
      take_away "$file"
      [ ! -e "$work/${file##*/}" ] || cp "$work/${file##*/}" "$file"
    done
    fail "$(cat "$work/nginx")
nginx refuses the party's site, so its files are as they were before. Mend what it says, and run this again."
  fi
  ! has_systemd || reload_nginx # always: what our files include may have changed
  place_the_address
}

# What somebody sets themselves counts: the units read it later.
place_the_address() {
  echo "PARTY_PUBLISHED_AT=$(url)published/" >"$work/address"
  write_ours "$ADDRESS" "$work/address"
}

place_site_as_before() {
  case $tls in
    named | certbot) place_site "$certificate" "$key" ;;
    *) place_site ;;
  esac
}

take_away() {
  ! is_ours "$1" || rm "$1"
}

reload_nginx() {
  systemctl reload-or-restart nginx || fail "nginx does not start: journalctl -u nginx says why."
  sleep 1 # so long who asks may still meet what it was before
}
