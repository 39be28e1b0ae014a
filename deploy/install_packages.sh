#!/bin/sh
# Makes sure of Redis and nginx, and of openssl for the tests' certificate: takes what is there, else installs Debian's
# packages as root or with sudo. Fails with a sentence where that is not possible.
set -eu
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps nginx

is_there() {
  command -v redis-server >/dev/null && command -v nginx >/dev/null && command -v openssl >/dev/null
}

install_with_apt() {
  if [ "$(id -u)" = 0 ]; then root=; else root="sudo -n"; fi
  $root apt-get update || true # one broken source need not matter: whether the packages come decides
  # Without starting them as services: the party starts its own.
  $root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends \
    redis-server nginx-light openssl
} </dev/null >&2

is_there && exit
echo "Redis, nginx or openssl are not there yet: installing them." >&2
if command -v apt-get >/dev/null; then
  install_with_apt && is_there && exit
fi
echo "This needs redis-server, nginx and openssl, and they could not be installed: please install them." >&2
exit 1
