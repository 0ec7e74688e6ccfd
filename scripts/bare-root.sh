#!/bin/sh
# Prove the two commands on a bare Debian 12: scripts/bare-root.sh DIR [test]
#
# As root. DIR must not exist; it gets a minimal Debian with python3, python3-venv, make and git, a clone of this
# repository's HEAD, and in it `make setup`, `make run` until all is ready, a second `make run` (timed), and with `test`
# also `make test`. USER_NAME=somebody does it as an ordinary user of that name instead of root;
# PORT and SIP_PORT are for a machine on which the usual ones are taken.
set -eu

[ $# -ge 1 ] || { echo "usage: $0 DIR [test]" >&2; exit 2; }
dir=$1
proof=${2:-run}
who=${USER_NAME:-root}
here=$(cd "$(dirname "$0")/.." && pwd)
[ ! -e "$dir" ] || { echo "$dir exists" >&2; exit 2; }

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
debootstrap --variant=minbase --include=python3,python3-venv,make,git,ca-certificates bookworm "$dir" "$mirror" >"$dir.log" 2>&1 ||
	{ tail -n 3 "$dir.log" >&2; exit 1; }
rm -f "$dir.log"

# How this machine reaches its mirrors: names, certificates, pip's and npm's configuration.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/npmrc; do
	[ ! -e "$file" ] || cp -L "$file" "$dir$file"
done
cp -rL /etc/ssl/certs/. "$dir/etc/ssl/certs/" 2>/dev/null || true
mkdir -p "$dir/dev/shm" "$dir/proc"
mount -t proc proc "$dir/proc"
mount --bind /dev "$dir/dev"
trap 'umount "$dir/dev" "$dir/proc"' EXIT

if [ "$who" != root ]; then
	chroot "$dir" useradd --create-home --shell /bin/sh "$who"
fi
home=$(chroot "$dir" getent passwd "$who" | cut -d: -f6)
[ ! -e "$HOME/.npmrc" ] || cp -L "$HOME/.npmrc" "$dir$home/"
git clone --quiet "$here" "$dir$home/12345"
chroot "$dir" chown -R "$who:" "$home"

inside() { # run words inside, with nothing of this machine's environment but the way to the mirrors
	certificates=/etc/ssl/certs/ca-certificates.crt
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" LANG=C.UTF-8 SSL_CERT_FILE=$certificates PIP_CERT=$certificates \
		NODE_EXTRA_CA_CERTS=$certificates \
		chroot "$dir" setpriv --reuid="$who" --regid="$who" --init-groups sh -euc "cd $home/12345; $1"
}

took() { # a name for it, and the words to run inside
	began=$(date +%s%N)
	inside "$2"
	echo "$1: $((($(date +%s%N) - began) / 1000000)) ms"
}

run_until_ready="make run PORT=${PORT:-8012} SIP_PORT=${SIP_PORT:-5060} & "'pid=$!
	while [ ! -s var/ready.json ]; do kill -0 $pid; sleep 0.05; done
	date +%s%N >var/ready-at'
stop='kill -TERM $pid; wait $pid || true; [ ! -e var/ready.json ]'

took "make setup" "make setup"
for time in first second; do
	began=$(date +%s%N)
	inside "$run_until_ready; $stop"
	echo "$time make run, ready after: $((($(cat "$dir$home/12345/var/ready-at") - began) / 1000000)) ms"
done
[ "$proof" != test ] || took "make test" "make test"
