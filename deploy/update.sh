#!/bin/sh
# Brings a new version of Discuss Party, or the one named: update.sh [VERSION], or with --back the one before. The
# processes restart one after the other, and nothing that was acknowledged is lost. Where one does not come back, all
# goes back to the version before. What was interrupted is done again from its beginning.
set -eu

# shellcheck source=deploy/steps.sh
. "$(cd "$(dirname "$0")" && pwd)/steps.sh"

BEFORE=refs/party/before # the version that ran before the last update
UPDATING=refs/party/updating # the same, while an update goes on

main() {
  begin
  recall_the_answers
  [ -n "$address" ] || fail "There is no party here to update: run deploy/install.sh first."
  has_systemd || fail "No systemd runs here, so nothing could be restarted."
  here=$(git -C "$PARTY" rev-parse HEAD)
  was_interrupted=yes
  before=$(git -C "$PARTY" rev-parse --quiet --verify "$UPDATING") || before=$here was_interrupted=
  venv_before=$(readlink "$PARTY/.venv")
  find_the_version "${1:-}"
  if [ "$new" = "$here" ] && [ -z "$was_interrupted" ]; then
    say "$(name_of "$new") is here already."
    exit
  fi
  ensure_settings_make_sense
  nginx_is_right || fail "$(cat "$work/nginx")
nginx refuses its own settings as they are, before the update. Mend what it says, and run this again."
  was_ready=yes
  for port in $(ports); do
    is_ready "$port" 2 || was_ready=
  done
  [ "$was_ready" ] || say "The party is not ready as it is, before the update: party status says why."
  say "From $(name_of "$before") to $(name_of "$new")."
  if take "$new"; then
    note_what_ran_before "${1:-}"
    git -C "$PARTY" update-ref -d "$UPDATING"
    forget_old_requirements
    say "The party runs on $(name_of "$new")."
  else
    go_back
  fi
}

note_what_ran_before() {
  if [ "$1" = --back ]; then
    git -C "$PARTY" update-ref -d "$BEFORE" # from here, back would be forward
  elif [ "$new" != "$before" ]; then
    git -C "$PARTY" update-ref "$BEFORE" "$before"
  fi
}

# Without a name: the newest of the branch that was installed.
find_the_version() {
  if [ "${1:-}" = --back ]; then
    new=$before
    [ "$was_interrupted" ] || new=$(git -C "$PARTY" rev-parse --quiet --verify "$BEFORE") ||
      fail "There is no version to go back to: party update takes the newest."
    return
  fi
  # 9: git may tidy up behind our back, and nobody shall have to wait for that.
  git -C "$PARTY" fetch --quiet --tags --force origin 9>&- ||
    fail "No version could be fetched from $(git -C "$PARTY" remote get-url origin). The party runs on as it was."
  branch=$(git -C "$PARTY" symbolic-ref --quiet --short HEAD) || branch=HEAD
  for name in "origin/${1:-$branch}" "${1:-}" "${1:+v$1}"; do
    if new=$(git -C "$PARTY" rev-parse --quiet --verify "$name^{commit}"); then
      return
    fi
  done
  fail "There is no version ${1:-of the branch $branch} at $(git -C "$PARTY" remote get-url origin). These have a name:
$(git -C "$PARTY" tag --list | tail -n 10)"
}

name_of() {
  echo "$(git -C "$PARTY" describe --tags --always "$1") ($(git -C "$PARTY" log -1 --format='%s' "$1"))"
}

# Puts that version in place and restarts the processes. Gives 1 where it does not run, and `why`.
take() {
  install_requirements "$1"
  git -C "$PARTY" update-ref "$UPDATING" "$before"
  git -C "$PARTY" reset --quiet --keep "$1" ||
    fail "Files in $PARTY were changed by hand, and this version has changed them, too. What: git -C $PARTY diff
Put them back with: git -C $PARTY checkout . (your own people belong into instance/: party people add NAME)"
  use_requirements
  why="its code cannot be read"
  prepare_the_code || return 1
  why="its files do not suit systemd or nginx"
  # The steps of that version, not of the one that this program came with.
  sh -euc '. "$1/deploy/steps.sh"; work=$2; recall_the_answers; place_units; place_site_as_before' sh "$PARTY" "$work" ||
    return 1
  for port in $(ports); do
    why="the process on port $port does not say within $READY_SECONDS seconds that it is ready"
    timeout "$READY_SECONDS" systemctl restart "party@$port" && is_ready "$port" || return 1
  done
  restart_services
}

go_back() {
  said=$(journalctl --unit 'party@*' --lines 5 --output cat 2>/dev/null || true)
  say "$said
Going back, since $why."
  take "$before" || fail "It does not run with $(name_of "$before") either, since $why.
$([ "$was_ready" ] || echo "Nor was it ready before the update. ")party status and party records say more."
  git -C "$PARTY" update-ref -d "$UPDATING"
  fail "The party runs on $(name_of "$before"), as before. Tell who made $(name_of "$new")."
}

# Those of this version and of the one before are kept.
forget_old_requirements() {
  for folder in "$PARTY"/.venvs/*; do
    case $folder in
      "$PARTY/$venv" | "$PARTY/$venv_before") ;;
      *) rm -rf "$folder" ;;
    esac
  done
}

main "$@"
exit # what stands here may be another version by now, of which nothing is to be read
