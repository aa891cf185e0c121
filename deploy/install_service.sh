#!/usr/bin/env bash
# bash deploy/install_service.sh: this checkout as a systemd service, by the same script as the quickstart. Again, from a newer checkout,
# to upgrade; what was there before stays beside it.
#   --back          back to the release before
#   --dry-run       only tells what it would do
#   --root DIR      puts all of it below DIR, and neither makes a user nor starts anything: to build a package or an image
#   --release NAME  what this release is called; otherwise its commit, or the time
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
root='' dry='' back='' release=''
while [ $# -gt 0 ]; do
  case $1 in
    --back) back=yes ;;
    --dry-run) dry=yes ;;
    --root) root=$(realpath --canonicalize-missing "${2:?--root needs a folder}") && shift ;;
    --release) release=${2:?--release needs a name} && shift ;;
    *) echo "error: $1 is no option; use --back, --dry-run, --root DIR or --release NAME" >&2 && exit 2 ;;
  esac
  shift
done
if [ -z "$root$dry" ] && [ "$(id -u)" -ne 0 ]; then
  echo "error: only root may install a service; sudo bash $0, or --dry-run to see what it would do" >&2
  exit 2
fi
run() { # a command, told or done
  if [ -n "$dry" ]; then printf '%q ' "$@" && echo; else "$@"; fi
}
put() { # FILE MODE: what is read becomes the file
  if [ -n "$dry" ]; then cat >/dev/null && echo "write $1"; else cat >"$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1"; fi
}
releases=$root/opt/fortnight-releases current=$root/opt/fortnight etc=$root/etc/fortnight units=$root/etc/systemd/system

switch_to() { # RELEASE: at once, or not at all
  run ln -sfn "fortnight-releases/$1" "$current.new"
  run mv -fT "$current.new" "$current"
}
start() {
  if [ -z "$root" ]; then
    run systemctl daemon-reload
    run systemctl enable fortnight.service fortnight-backup.timer
    run systemctl restart fortnight.service fortnight-backup.timer
  fi
}

if [ -n "$back" ]; then
  if ! [ -L "$releases/before" ]; then
    echo "error: $releases has no release before; install one with bash $0" >&2
    exit 2
  fi
  gone=$(basename "$(readlink "$current")") before=$(readlink "$releases/before")
  switch_to "$before"
  run ln -sfn "$gone" "$releases/before"
  start
  echo "back at release $before, away from $gone; the database keeps the newer schema"
  exit
fi

sha=$(git -C "$checkout" rev-parse HEAD 2>/dev/null) || sha=
release=${release:-${sha:0:12}}
release=${release:-$(date -u +%Y%m%dT%H%M%SZ)}
target=$releases/$release

# The release, in a folder of its own. Its path is part of what pip writes, so that it is made where it stays.
umask 022
run mkdir -p "$target" "$units" "$root/usr/local/bin"
run tar --create --file "$target.tar" --directory "$checkout" --exclude __pycache__ --exclude deploy/secrets --mode a+rX,go-w \
  deploy flows forecasting pyproject.toml README.md LICENSE
run tar --extract --file "$target.tar" --directory "$target" --no-same-owner
run rm "$target.tar"
run bash "$target/deploy/install.sh" entsoe
echo "${sha:+FORTNIGHT_GIT_SHA=$sha}" | put "$target/release.env" 0644

# Its user, folders, settings and password; what is there stays.
if [ -z "$root" ] && ! getent passwd fortnight >/dev/null; then
  run useradd --system --user-group --home-dir /var/lib/fortnight --shell /usr/sbin/nologin fortnight
fi
run install -d -m 0755 "$etc"
run install -d -m 0700 "$etc/secrets" "$root/var/lib/fortnight"
[ -n "$root" ] || run chown fortnight:fortnight /var/lib/fortnight
[ -e "$etc/fortnight.toml" ] || run install -m 0644 "$checkout/deploy/config/fortnight.toml" "$etc/fortnight.toml"
[ -e "$etc/secrets/serve__password" ] || od -An -vtx1 -N24 /dev/urandom | tr -d ' \n' | put "$etc/secrets/serve__password" 0600

run install -m 0644 "$target"/deploy/systemd/*.service "$target"/deploy/systemd/*.timer "$units"
run install -m 0755 "$target/deploy/systemd/fortnight" "$root/usr/local/bin/fortnight"
if [ -L "$current" ] && [ "$(basename "$(readlink "$current")")" != "$release" ]; then
  run ln -sfn "$(basename "$(readlink "$current")")" "$releases/before"
fi
switch_to "$release"
start
echo "release $release is in place; sudo fortnight status, journalctl -u fortnight; user fortnight, password in $etc/secrets/serve__password"
