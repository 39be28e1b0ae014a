#!/bin/sh
# Makes sure of Firefox, of WebKit with its driver, and of a screen that nobody sees: takes what is there, else installs
# Debian's packages as root or with sudo. Fails with a sentence where that is not possible: no engine is skipped.
set -eu

is_there() {
  { firefox-esr --version || firefox --version; } >/dev/null 2>&1 &&
    command -v WebKitWebDriver >/dev/null && command -v Xvfb >/dev/null
}

install_with_apt() {
  if [ "$(id -u)" = 0 ]; then root=; else root="sudo -n"; fi
  $root apt-get update || true # one broken source need not matter: whether the packages come decides
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    firefox-esr webkit2gtk-driver xvfb fonts-noto-color-emoji
} </dev/null >&2

is_there && exit
echo "Firefox, WebKit's driver or Xvfb are not there yet: installing them." >&2
if command -v apt-get >/dev/null; then
  install_with_apt && is_there && exit
fi
echo "This needs firefox-esr, webkit2gtk-driver and xvfb, and they could not be installed: please install them." >&2
exit 1
