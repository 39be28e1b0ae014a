#!/bin/sh
# Takes away what install.sh wrote. The rooms, the secret key, the people, the settings and the code stay where they
# are, unless it is told --with-data. Packages and what other sites need stay in any case.
set -eu

# shellcheck source=deploy/steps.sh
. "$(cd "$(dirname "$0")" && pwd)/steps.sh"

main() {
  with_data='' yes=''
  for option in "$@"; do
    case $option in
      --with-data) with_data=yes ;;
      --yes) yes=yes ;;
      *) fail "uninstall.sh knows --with-data, which takes the rooms and the people away as well, and --yes." ;;
    esac
  done
  begin
  recall_the_answers
  make_sure
  stop_everything
  take_our_files_away
  give_the_certificate_back
  if [ "$with_data" ]; then
    take_the_data_away
    say "Nothing of the party is left but the packages that it needed."
  else
    say "The party is gone from nginx and systemd. Still there: $PARTY with instance/, $SETTINGS, $PAGES, /var/lib/party-redis and
$BACKUPS where there are any, and the user party. install.sh takes them up again; uninstall.sh
--with-data takes them away."
  fi
}

make_sure() {
  [ "$with_data" ] && [ -z "$yes" ] || return 0
  [ -t 0 ] || fail "The rooms, the people and the backups would be gone for good. If that is meant, add --yes."
  printf 'The rooms, the people and the backups will be gone for good. Write "gone" if that is meant: '
  read -r answer || answer=
  [ "$answer" = gone ] || fail "Nothing was taken away."
}

stop_everything() {
  has_systemd || return 0
  for port in $(ports_there); do
    systemctl disable --quiet --now "party@$port" 2>/dev/null || true
  done
  for unit in party-backup.timer party-services party-redis; do # each by itself: where one is missing, none would be disabled
    systemctl disable --quiet --now "$unit" 2>/dev/null || true
  done
}

take_our_files_away() {
  for file in $OUR_FILES; do
    if [ -e "$file" ] && ! is_ours "$file"; then
      say "$file stays: install.sh did not write it."
    fi
    take_away "$file"
  done
  ! is_our_command || rm "$COMMAND"
  rmdir "${LOCATION%/*}" 2>/dev/null || true
  rm -rf "$PROOFS"
  if has_systemd; then
    systemctl daemon-reload
    if nginx_is_right; then
      reload_nginx
    else
      say "$(cat "$work/nginx")
nginx goes on with what it has read before, since it refuses its settings as they are now."
    fi
  fi
}

# One that was asked for by install.sh, which alone proves the name in that folder.
give_the_certificate_back() {
  grep -qs "$PROOFS" "/etc/letsencrypt/renewal/$address.conf" || return 0
  certbot delete --non-interactive --cert-name "$address" >/dev/null 2>&1 ||
    say "The certificate for $address is still with certbot: certbot delete --cert-name $address"
}

take_the_data_away() {
  rm -rf "$PARTY" /var/lib/party-redis "$BACKUPS" "$PAGES" "$SETTINGS"
  # Not somebody else's of that name.
  ! getent passwd party | grep -q ":$PARTY:/usr/sbin/nologin$" || userdel party 2>/dev/null || true
  rm -f /run/party-install.lock
}

main "$@"
exit # its own folder may be gone
