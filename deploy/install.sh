#!/bin/sh
# Installs Discuss Party on a Debian or Ubuntu server, as root. It asks what it is not told. To run it again is safe: it
# changes what you name, and nothing that is right.
set -eu

usage() {
  cat <<'END'
install.sh [ADDRESS] [OPTIONS]

  ADDRESS                 party.blog.example (recommended), or blog.example/party/ for a path of a site that is there
  --people "asha bilal"   who may come, the owner first; those who are there already stay
  --backup FILE           begin with what a backup holds: a party that moves here
  --processes N           1 keeps the rooms in a file; more keep them in Redis. The rooms move along (default: 1)
  --certificate FULLCHAIN --key KEY   for TLS; without them certbot asks Let's Encrypt for a certificate
  --email EMAIL           where Let's Encrypt may write to
  --no-tls                by plain http: others on the line can read everything
  --yes                   ask nothing
END
}

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=deploy/steps.sh
. "$here/steps.sh"

# --- What is wanted ---------------------------------------------------------------------------------------------------

read_options() {
  wanted_address='' people='' backup='' wanted_processes='' wanted_certificate='' wanted_key='' wanted_email='' no_tls='' yes=''
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage && exit ;;
      --yes) yes=yes ;;
      --no-tls) no_tls=yes ;;
      --people | --backup | --processes | --certificate | --key | --email)
        [ $# -gt 1 ] || fail "$1 needs a word behind it. install.sh --help lists the options."
        case $1 in
          --people) people=$2 ;;
          --backup) backup=$2 ;;
          --processes) wanted_processes=$2 ;;
          --certificate) wanted_certificate=$2 ;;
          --key) wanted_key=$2 ;;
          --email) wanted_email=$2 ;;
        esac
        shift
        ;;
      -*) fail "There is no option $1. install.sh --help lists them." ;;
      *)
        [ -z "$wanted_address" ] || fail "There are two addresses, $wanted_address and $1: the party has one."
        wanted_address=$1
        ;;
    esac
    shift
  done
  check_options
}

check_options() {
  wanted_address=${wanted_address#http://} wanted_address=${wanted_address#https://}
  [ -z "$wanted_address" ] || check_address "$wanted_address"
  check_people
  [ -z "$backup" ] || [ -r "$backup" ] || fail "There is no $backup to read: name a file that \`party backup\` made."
  case $wanted_processes in
    '' | [1-9] | [1-5][0-9]) ;;
    *) fail "--processes must be a number from 1 to 59, not $wanted_processes." ;;
  esac
  case ${wanted_certificate:+certificate}${wanted_key:+key} in
    '' | certificatekey) ;;
    *) fail "A certificate has two files: --certificate FULLCHAIN --key KEY." ;;
  esac
  [ -z "$no_tls" ] || [ -z "$wanted_certificate" ] || fail "--no-tls and --certificate exclude each other: leave one out."
  case $wanted_email$wanted_certificate$wanted_key in
    *\'* | *'
'*) fail "--email, --certificate and --key may hold no ' and no second line." ;;
  esac
}

check_people() {
  case $people in
    *[,\"\']*)
      fail 'Names stand with a space between them alone. A full name comes later: party people add "Anna de Vries"'
      ;;
  esac
}

check_address() {
  host=${1%%/*} path=/
  case $1 in */*) path=/${1#*/} ;; esac
  case $host in
    '' | .* | -* | *..* | *[!A-Za-z0-9.-]*)
      fail "$1 is no address such as party.blog.example or blog.example/party/ (and it takes no port)."
      ;;
  esac
  case $path in
    *//* | *[!A-Za-z0-9._~/-]*) fail "The path in $1 may hold letters, digits and - . _ ~ alone." ;;
  esac
}

ask_what_is_missing() {
  address_before=$address
  address=${wanted_address:-$address}
  processes=${wanted_processes:-${processes:-1}}
  email=${wanted_email:-$email}
  if [ -z "$address" ]; then
    can_ask || fail "Where shall the party be? Name its address: install.sh party.blog.example"
    say "Where shall the party be? A name of its own is best, such as party.blog.example; it can also live below a path of
a site that is here, such as blog.example/party/."
    ask "Address:"
    address=${answer#http://} address=${address#https://}
    check_address "$address"
  fi
  case ${address#*/} in '' | "$address") address=${address%%/*} ;; *) address=${address%/}/ ;; esac
  if [ -z "$people$backup" ] && ! [ -e "$PARTY/instance/people.json" ]; then
    can_ask || fail 'Who may come? Name them, the owner first: --people "asha bilal chen"'
    ask "Who may come? Short names with a space between them, yours first:"
    people=$answer
    [ -n "$people" ] || fail "Nobody was named. Run this again with at least your own name."
    check_people
  fi
  decide_tls
}

can_ask() {
  [ -z "$yes" ] && [ -t 0 ]
}

ask() {
  printf '%s ' "$1"
  IFS= read -r answer || fail "No answer came. Run this again, or name everything as options: install.sh --help"
}

# What `tls` can be: `named` files, `certbot`, `later` where certbot could not yet, `none`, or `site`, where the site
# around a path takes care of it. What was said before holds, until the address is named anew.
decide_tls() {
  [ -z "$wanted_address" ] || [ "$tls" != none ] || tls=
  [ "$address" = "$address_before" ] || tls=
  [ -z "$no_tls" ] || tls=none
  if is_below_a_path; then
    [ -z "$wanted_certificate" ] ||
      fail "Below a path the certificate is that of the site around it: leave --certificate and --key out."
    [ "$tls" = none ] || tls=site
    say_why_a_subdomain_is_better
  elif [ -n "$wanted_certificate" ]; then
    tls=named certificate=$wanted_certificate key=$wanted_key
  elif [ "$tls" != named ] && [ "$tls" != none ]; then
    tls=certbot certificate=/etc/letsencrypt/live/$address/fullchain.pem key=/etc/letsencrypt/live/$address/privkey.pem
  fi
}

say_why_a_subdomain_is_better() {
  say "A name of its own, such as party.${address%%/*}, is the better place. Below a path the browser takes the party and the
site for one: every script on the site can do in the party whatever its visitor can, and speak in their name. And the
party leaves HSTS to the site, since it counts for the whole name."
}

# --- The machine ------------------------------------------------------------------------------------------------------

# nginx cannot listen beside another server, and certbot could not prove anything.
ensure_free_ports() {
  has_systemd && ! systemctl is-active --quiet nginx 2>/dev/null || return 0
  if grep -Eqs '^ *[0-9]+: [0-9A-F]+:(0050|01BB) [0-9A-F]+:[0-9A-F]+ 0A ' /proc/net/tcp /proc/net/tcp6; then
    holder=$(ss -Hltnp 'sport = :80 or sport = :443' 2>/dev/null | sed -n 's/.*users:(("\([^"]*\)".*/\1/p' | head -n 1)
    fail "${holder:-Another program} serves port 80 or 443 here, which nginx would take. The party can live behind it
without this script: see \"Behind a proxy, with TLS\" in docs/operating.md."
  fi
}

install_missing_packages() {
  command -v apt-get >/dev/null || fail "This needs Debian 12, Ubuntu 24.04 or newer: there is no apt-get here."
  missing=
  [ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
  command -v git >/dev/null || missing="$missing git"
  command -v nginx >/dev/null || missing="$missing nginx"
  command -v openssl >/dev/null || missing="$missing openssl"
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
  [ "$processes" = 1 ] || command -v redis-server >/dev/null || missing="$missing redis-server"
  [ "$tls" != certbot ] || command -v certbot >/dev/null || missing="$missing certbot"
  if [ -n "$missing" ]; then
    say "Installing from the system's packages:$missing."
    # RUNLEVEL: without starting them. nginx is started when its site is there, and the party has a Redis of its own.
    have_come=yes
    # One broken source need not matter; and a fresh server may be busy with its own updates for a while.
    # shellcheck disable=SC2086
    { apt-get update -q || true; env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y \
      -o DPkg::Lock::Timeout=300 --no-install-recommends $missing; } >"$work/apt" 2>&1 </dev/null || have_come=
    if has_systemd && ! [ "${missing#*redis-server}" = "$missing" ]; then
      systemctl disable --quiet --now redis-server 2>/dev/null || true # Debian's own, also of half an installation
    fi
    [ "$have_come" ] || fail "$(tail -n 5 "$work/apt")
The packages$missing could not be installed. Try: apt-get update && apt-get install$missing"
  fi
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "The party needs Python 3.11 or newer, and here is $(python3 --version): Debian 12 and Ubuntu 24.04 have it."
}

check_the_certificate() {
  [ "$tls" = named ] || return 0
  for file in "$certificate" "$key"; do
    [ -r "$file" ] || fail "There is no $file to read: name the files with --certificate and --key."
  done
  case $certificate$key in
    *[\"\\\$]*) fail 'The paths of the certificate may not hold ", \ or $.' ;;
    /*) ;;
    *) fail "Name the certificate and the key by their whole paths, which begin with a slash." ;;
  esac
  [ "$(openssl x509 -in "$certificate" -noout -pubkey 2>&1)" = "$(openssl pkey -in "$key" -pubout 2>&1)" ] ||
    fail "$key is not the key of $certificate: name two files that belong together."
  openssl x509 -in "$certificate" -noout -checkend 0 >/dev/null ||
    fail "$certificate has expired: name one that is valid."
  openssl x509 -in "$certificate" -noout -checkhost "$address" | grep -q 'does match' ||
    fail "$certificate is not for $address: name one that is, or another address."
}

make_the_user() {
  id party >/dev/null 2>&1 ||
    useradd --system --user-group --home-dir "$PARTY" --no-create-home --shell /usr/sbin/nologin party
}

# Each version is installed by its own install.sh.
go_on_with_the_code_that_is_there() {
  if [ "$here" != "$PARTY/deploy" ] && [ -d "$PARTY/.git" ] && [ -x "$PARTY/deploy/install.sh" ]; then
    say "The code in $PARTY stays as it is: $PARTY/deploy/update.sh fetches another version."
    rm -r "$work"
    exec "$PARTY/deploy/install.sh" "$@"
  fi
}

bring_the_code() {
  source=$(dirname "$here")
  if [ "$source" = "$PARTY" ] && [ -d "$PARTY/.git" ]; then
    : # it is there
  elif [ -n "$(ls -A "$PARTY" 2>/dev/null)" ]; then
    fail "$PARTY is there, and it is no clone of the party. Move it away, and run this again."
  elif [ ! -d "$source/.git" ]; then
    fail "$source is no clone, so that no version could be fetched later. Run: git clone … $PARTY && $PARTY/deploy/install.sh"
  else
    say "Cloning $source to $PARTY."
    # Beside its place first: what is there under its name is whole.
    rm -rf "$PARTY.new"
    mkdir -p "$PARTY.new"
    cp -R "$source/.git" "$PARTY.new/.git"
    chown -R root:root "$PARTY.new"
    git -C "$PARTY.new" reset --quiet --hard || fail "$source could not be cloned: git says why."
    [ ! -d "$PARTY" ] || rmdir "$PARTY"
    mv "$PARTY.new" "$PARTY"
  fi
  # The party may read its code, and write in instance/ alone: what root runs from here is out of its reach.
  if [ "$(stat -c %U "$PARTY")" != root ]; then
    chown -R root:root "$PARTY"
  fi
  # A root whose files are for itself may have cloned it.
  runuser -u party -- test -r "$PARTY/app.py" ||
    find "$PARTY" -path "$PARTY/instance" -prune -o ! -type l -exec chmod go+rX {} +
  mkdir -p "$PARTY/instance"
  chown -R party:party "$PARTY/instance"
  chmod 700 "$PARTY/instance"
}

# --- The party --------------------------------------------------------------------------------------------------------

write_settings() {
  if [ ! -e "$SETTINGS" ]; then
    cat >"$SETTINGS" <<END
# The party's settings, NAME=value: $PARTY/docs/operating.md lists them all. install.sh sets PARTY_PROXIES and
# PARTY_JOURNAL, and leaves everything else as it is. After a change: party restart
END
    chmod 600 "$SETTINGS"
  fi
  grep -q '^PARTY_PROXIES=' "$SETTINGS" || set_to PARTY_PROXIES 1
}

place_the_command() {
  if [ -e "$COMMAND" ] && ! is_our_command; then
    say "$COMMAND is something else, and stays. Where this says \`party\`, run $PARTY/deploy/party."
  else
    ln -sfn "$PARTY/deploy/party" "$COMMAND"
  fi
}

# set_to NAME VALUE, or without a value: takes the line away.
set_to() {
  { grep -v "^$1=" "$SETTINGS" || true; } >"$work/settings"
  [ -z "${2:-}" ] || echo "$1=$2" >>"$work/settings"
  if ! { [ -n "${2:-}" ] && grep -qx "$1=$2" "$SETTINGS"; } && ! cmp -s "$work/settings" "$SETTINGS"; then
    cat "$work/settings" >"$SETTINGS"
    changed="$changed $SETTINGS"
  fi
}

# Where the log is follows from the number of processes, where the owner has not chosen a place of their own.
choose_the_log() {
  if has_systemd && has_own_redis; then
    systemctl enable --quiet --now party-redis || fail "Redis does not start: journalctl -u party-redis says why."
  fi
  case $(journal) in
    '') [ "$processes" = 1 ] || move_the_log "$OWN_REDIS" ;;
    "$OWN_REDIS") [ "$processes" != 1 ] || move_the_log "$FILE" ;;
    *redis*) ;;
    *)
      [ "$processes" = 1 ] || fail "PARTY_JOURNAL in $SETTINGS is a place of your own, which several processes cannot share.
Take that line away, so that install.sh moves what is there to Redis; or keep one process."
      ;;
  esac
}

# move_the_log PLACE: everything stands still meanwhile, some seconds; pages come back by themselves. The setting changes
# last: until then the party has its rooms where they were, however this ends.
move_the_log() {
  if [ -n "$(journal)" ] || [ -e "$FILE" ]; then
    has_systemd || fail "The rooms can be moved to another log only where systemd runs, which can stop the party."
    say "Moving the rooms: the party stops for some seconds."
    stopped=$(ports_there)
    for port in $stopped; do
      systemctl stop "party@$port"
    done
    stop_services
    chmod 711 "$work"
    install -d -o party -m 700 "$work/copy"
    { as_party flask --app app backup "$work/copy/" && forget_the_log_in "$1" &&
      as_party env PARTY_JOURNAL="$1" flask --app app restore "$work/copy/"*.backup; } >"$work/said" 2>&1 ||
      fail "$(cat "$work/said")
So the rooms stay where they are, and the party runs on as before."
    say "The rooms have moved."
    stopped=$FIRST_PORT # what comes before run_the_processes may fail
  fi
  if [ "$1" = "$FILE" ]; then set_to PARTY_JOURNAL; else set_to PARTY_JOURNAL "$1"; fi
}

# What is kept there was moved away before. Redis runs afterwards if it ran.
forget_the_log_in() {
  if [ "$1" = "$FILE" ]; then
    rm -f "$FILE" "$FILE-wal" "$FILE-shm"
  else
    systemctl stop party-redis && rm -rf /var/lib/party-redis/appendonlydir && systemctl start party-redis
  fi
}

# Into the log that was chosen, with its people and its secret key; where anything is there already, it is refused.
restore_the_backup() {
  [ -z "$backup" ] || restore "$backup" || fail "So the backup was not put back. Mend what is said above, and run this again."
}

add_the_people() {
  [ -n "$people" ] || return 0
  known=
  [ ! -e "$PARTY/instance/people.json" ] || known=$(as_party python -c 'import users; print(*users.NUMBERS, sep="\n")')
  for name in $people; do
    printf '%s\n' "$known" | grep -qixF -- "$name" || as_party python users.py add "$name" --address "$url" >/dev/null ||
      fail "$name could not be added. Run this again with other names."
  done
}

run_the_processes() {
  stopped=
  for port in $(ports_there); do
    [ "$port" -lt $((FIRST_PORT + processes)) ] || systemctl disable --quiet --now "party@$port"
  done
  if has_changed "$SETTINGS" || has_changed "$ADDRESS" || has_changed "$UNITS/party@.service" ||
    has_changed "$UNITS/party-services.service" || has_changed "$PARTY"; then
    for port in $(ports); do
      ! systemctl is-active --quiet "party@$port" || systemctl restart "party@$port" || tell_why_not "$port"
    done
    restart_services
  fi
  start_processes
  systemctl enable --quiet --now party-backup.timer
  forget_where_the_log_was
}

# Words are promised to go after some hours, and nobody cuts a log that nobody uses.
forget_where_the_log_was() {
  if [ "$(journal)" = "$OWN_REDIS" ]; then
    forget_the_log_in "$FILE"
  elif [ -z "$(journal)" ] && is_ours "$UNITS/party-redis.service"; then
    systemctl disable --quiet --now party-redis
    rm -rf /var/lib/party-redis
    take_away "$UNITS/party-redis.service" # else each start of the party would start it
    systemctl daemon-reload
  fi
}

# --- The address ------------------------------------------------------------------------------------------------------

open_the_site() {
  if [ "$tls" = certbot ] && [ ! -e "$certificate" ]; then
    place_site
    if has_systemd; then
      get_a_certificate
    else
      tls=later
    fi
  fi
  place_site_as_before
}

get_a_certificate() {
  say "Asking Let's Encrypt for a certificate for $address, under its terms of service."
  if [ -n "$email" ]; then set -- --email "$email" --no-eff-email; else set -- --register-unsafely-without-email; fi
  certbot certonly --non-interactive --agree-tos "$@" --webroot --webroot-path "$PROOFS" --cert-name "$address" \
    --domain "$address" --deploy-hook "systemctl reload nginx" >"$work/said" 2>&1 || {
    tail -n 5 "$work/said" >&2
    go_on_without_tls "Let's Encrypt gave no certificate for $address: does the name lead here, and is port 80 open?"
  }
}

go_on_without_tls() {
  say "$1 So the party goes on by plain http for now: others on the line can read words and passwords, and
phones cannot install it. When that is mended, run this again; or name a certificate with --certificate and --key."
  tls=later
}

remember_the_answers() {
  cat >"$work/answers" <<END
# What install.sh was told, for the next time and for update.sh.
address='$address'
processes='$processes'
tls='$tls'
certificate='$certificate'
key='$key'
email='$email'
END
  write_ours "$ANSWERS" "$work/answers"
}

say_the_line() {
  say "
One line is yours to write. Put it into the \`server { … }\` of ${address%%/*}, then: nginx -t && systemctl reload nginx

    $LINE
"
}

print_the_invites() {
  say "
Send each friend their invite link; it holds their password:
"
  as_party python users.py "$url"
  say ""
}

check_from_outside() {
  if is_below_a_path && ! nginx -T 2>/dev/null | grep -q "^# configuration file $LOCATION"; then
    say_the_line
    can_ask || fail "After that the party is there. See whether it is: party check"
    ask "Press Enter when it is there:"
    nginx_is_right || fail "$(cat "$work/nginx")
nginx refuses that. Mend what it says, and run this again."
    reload_nginx
  fi
  say "Looking at $url as a visitor does."
  status=0
  as_party python deploy/check.py "$url" || status=$?
  if [ "$status" = 3 ]; then
    say "From this machine that address cannot be reached; behind some routers that is so. Once more, without the way
through the network:"
    status=0
    as_party python deploy/check.py --at 127.0.0.1 "$url" || status=$?
    [ "$status" != 0 ] || say "All is right here. Whether others get here, a phone outside of your own network will show."
  fi
  [ "$status" = 0 ] || fail "It is not right yet. Mend what is said above, and run this again, or the check alone:
party check"
}

# --- From top to bottom -----------------------------------------------------------------------------------------------

main() {
  read_options "$@"
  begin
  go_on_with_the_code_that_is_there "$@"
  recall_the_answers
  ask_what_is_missing
  ensure_ours
  ensure_free_ports
  install_missing_packages
  check_the_certificate
  make_the_user
  bring_the_code
  install_requirements HEAD
  use_requirements
  prepare_the_code || fail "This version's code cannot be read by $(python3 --version): name another version."
  write_settings
  place_units
  place_the_command
  open_the_site
  url=$(url)
  choose_the_log
  restore_the_backup
  add_the_people
  remember_the_answers
  if has_systemd; then
    run_the_processes
  fi
  print_the_invites
  if ! has_systemd; then
    say "No systemd runs here, so nothing was started; all else is in place. Start nginx and what these units say, and run
this again: $(for port in $(ports); do printf 'party@%s ' "$port"; done)$([ "$processes" = 1 ] || echo party-redis)"
    exit
  fi
  check_from_outside
  say "
The party is at $url
It keeps everything in $PARTY/instance$([ "$processes" = 1 ] || echo " and /var/lib/party-redis"), its settings in $SETTINGS. \`party\` lists
what you can do: let somebody in, look whether all is well, bring a new version, make a backup."
}

main "$@"
