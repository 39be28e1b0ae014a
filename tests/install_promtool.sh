#!/bin/sh
# Makes sure of promtool, which checks the alert rules and the figures: takes what is there, else unpacks it out of
# Debian's package into the folder that is named. The package itself is not installed: it would bring a server, started
# with the machine. Fails with a sentence where that is not possible.
set -eu
folder=$1

command -v promtool >/dev/null && exit
[ -x "$folder/promtool" ] && exit
echo "promtool is not there yet: fetching it." >&2
unpacked=$(mktemp -d)
trap 'rm -rf "$unpacked"' EXIT

fetch() {
  (cd "$unpacked" && apt-get download prometheus && dpkg-deb --extract prometheus_*.deb .) </dev/null >&2
}

update() {
  if [ "$(id -u)" = 0 ]; then root=; else root="sudo -n"; fi
  $root apt-get update </dev/null >&2 || true # one broken source need not matter: whether the package comes decides
}

if command -v apt-get >/dev/null && { fetch || { update && fetch; }; }; then
  mv "$unpacked/usr/bin/promtool" "$folder/"
  exit
fi
echo "This needs promtool, and it could not be fetched: please install Prometheus, or put its promtool into $folder." >&2
exit 1
