#!/bin/sh
# What the tests need beside Python: as root it is installed, anybody else is told in one line what is missing.
set -eu
cd "$(dirname "$0")/.."

missing=""
need() { # a test that is true when it is there, and the Debian package that brings it
	sh -c "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need "command -v chromium" chromium
need "command -v sipp" sip-tester
need "ls /usr/lib/*/libatomic.so.1" libatomic1 # for the Node that drives the browser
need "command -v fc-list && fc-list :lang=zh-cn | grep -q ." "fontconfig fonts-noto-cjk"

if [ -n "$missing" ]; then
	if [ "$(id -u)" -ne 0 ]; then
		echo "make test needs Debian packages that are missing here:$missing" >&2
		exit 1
	fi
	echo "      Debian packages for the tests:$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq update
	# shellcheck disable=SC2086
	apt-get -qq install --yes --no-install-recommends $missing >/dev/null
fi

# Of Prometheus only its checker of rules is taken: the package would start a server.
if [ ! -x .venv/bin/promtool ]; then
	if ! command -v promtool >/dev/null 2>&1; then
		echo "      promtool"
		work=$(mktemp -d)
		trap 'rm -rf "$work"' EXIT
		(cd "$work" && apt-get -qq -o APT::Sandbox::User= download prometheus && dpkg-deb -x prometheus_*.deb .)
		cp "$work/usr/bin/promtool" .venv/bin/
	else
		ln -sf "$(command -v promtool)" .venv/bin/promtool
	fi
fi
