#!/bin/sh
# Runs a program as the party runs: as its user, in its folder, with its Python and the settings of /etc/party.env.
#
#     /opt/party/deploy/as_party.sh python users.py add chen
#     /opt/party/deploy/as_party.sh flask --app app trace ROOM
set -eu

settings=/etc/party.env

[ $# -gt 0 ] || {
  echo "Say what to run, as in: $0 python users.py" >&2
  exit 2
}
[ "$(id -u)" = 0 ] || {
  echo "Only root can do that: sudo $0 $*" >&2
  exit 1
}

# As systemd reads it: NAME=value, where quotes around the value are not part of it.
if [ -e "$settings" ]; then
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
  done <"$settings"
fi

umask 077 # what it writes is the party's alone
cd /opt/party
export PATH="/opt/party/.venv/bin:$PATH"
exec runuser -u party -- "$@"
