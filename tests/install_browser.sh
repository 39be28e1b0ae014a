#!/bin/sh
# Prints the path of a browser for the tests, after installing one where there is none. Where Debian has one without a
# screen, it is installed as well: a page costs most tests a third of the time in it, and they do without if need be.
# Fails with a sentence rather than let a test be skipped: a page that no browser opened is not tested.
#
#     tests/install_browser.sh PYTHON     (a Python that has Playwright)
set -eu
python=$1

# Being there is not enough: Ubuntu's chromium-browser may be a stub that only asks for snap.
starts() {
  "$1" --version >/dev/null 2>&1
}

find_browser() {
  for name in chromium chromium-browser google-chrome "$(playwrights_own)"; do
    path=$(command -v "$name") && starts "$path" && echo "$path" && return
  done
  return 1
}

playwrights_own() {
  "$python" -c 'from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)'
}

if [ "$(id -u)" = 0 ]; then root=; else root="sudo -n"; fi

# What installs may not ask for a password, nor write where the path is expected.
install_with_apt() {
  $root apt-get update || true # one broken source need not matter: whether the packages come decides
  apt_install chromium fonts-noto-color-emoji
} </dev/null >&2

apt_install() {
  $root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

print_browser() {
  find_browser || return
  {
    command -v chromium-headless-shell || apt_install chromium-headless-shell || true
  } </dev/null >/dev/null 2>&1
}

install_with_playwright() {
  "$python" -m playwright install --with-deps chromium || "$python" -m playwright install chromium
} </dev/null >&2

if [ -n "${BROWSER_PATH:-}" ]; then
  starts "$BROWSER_PATH" && echo "$BROWSER_PATH" && exit
  echo "BROWSER_PATH is $BROWSER_PATH, and no browser starts there." >&2
  exit 1
fi

print_browser && exit
echo "No browser for the tests yet: installing one." >&2
if command -v apt-get >/dev/null; then
  install_with_apt && print_browser && exit
fi
install_with_playwright && print_browser && exit
echo "The tests need a browser and none could be installed: install Chromium, or set BROWSER_PATH to one." >&2
exit 1
