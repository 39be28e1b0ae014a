#!/bin/sh
# Makes sure of what the party is measured against, and of what the JavaScript in docs/contract.md is tried with: Node,
# which is installed from Debian's packages as root or with sudo where there is none, and the files that package-lock.json
# names, by their hashes, in benchmarks/node_modules/. Fails with a sentence where that is not possible.
set -eu
cd "$(dirname "$0")"

is_there() {
  command -v node >/dev/null && command -v npm >/dev/null
}

install_with_apt() {
  if [ "$(id -u)" = 0 ]; then root=; else root="sudo -n"; fi
  $root apt-get update || true # one broken source need not matter: whether the packages come decides
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nodejs npm
} </dev/null >&2

# npm leaves its own copy of the list behind what it installed.
[ node_modules/.package-lock.json -nt package-lock.json ] && command -v node >/dev/null && exit
if ! is_there; then
  echo "Node is not there yet: installing it." >&2
  { command -v apt-get >/dev/null && install_with_apt && is_there; } || {
    echo "Node and npm are missing, and could not be installed." >&2
    exit 1
  }
fi
npm ci --no-audit --no-fund --ignore-scripts >&2 || {
  echo "What package-lock.json names could not be installed." >&2
  exit 1
}
touch node_modules/.package-lock.json
