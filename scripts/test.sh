#!/bin/sh
# Every test there is, from a fresh clone on: installs what the tests need, builds, checks, runs, and ends with
# one line "N passed, N failed". Needs root for the whole clusters; without it those count as failed.
set -eu
cd "$(dirname "$0")/.."
exec </dev/null
export CI=true

RESULTS=$(mktemp -d)
trap 'rm -rf "$RESULTS"' EXIT
export PATH="$PATH:/usr/local/go/bin:/usr/local/sbin:/usr/sbin:/sbin" # where sudo and a bare environment do not look

now() { cut -d ' ' -f 1 /proc/uptime; }

# check NAME COMMAND...: one thing that passes or fails as a whole.
check() {
	name=$1
	shift
	echo "==> $name"
	check_start=$(now)
	if "$@"; then outcome=passed; else outcome=failed; fi
	echo "$outcome $name" >>"$RESULTS/checks"
	echo "==> $name $outcome after $(awk -v from="$check_start" -v to="$(now)" 'BEGIN { printf "%d", to - from }') s"
	[ $outcome = passed ]
}

# suite PROJECT: its tests are counted one by one.
suite() {
	echo "==> $1 tests"
	vitest run --project "$1" --reporter=default --reporter=json --outputFile.json="$RESULTS/$1.json" || true
	[ -s "$RESULTS/$1.json" ] || echo "failed $1 tests: they did not run" >>"$RESULTS/checks"
}

tools_for_tests() {
	missing=
	for pair in gcc:gcc cc:libc6-dev npm:npm iptables:iptables ip:iproute2 nft:nftables conntrack:conntrack \
		setpriv:util-linux modprobe:kmod ps:procps curl:curl wget:wget shellcheck:shellcheck python3:python3 \
		socat:socat zsh:zsh fish:fish systemd-notify:systemd mandoc:mandoc mmdebstrap:mmdebstrap \
		aarch64-linux-gnu-strip:binutils-aarch64-linux-gnu qemu-aarch64-static:qemu-user-static; do
		command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
	done
	[ -e /usr/include/seccomp.h ] || missing="$missing libseccomp-dev"
	# What Node for arm64 is linked with, to start it under qemu.
	for library in libc6:libc.so.6 libstdc++6:libstdc++.so.6 libatomic1:libatomic.so.1; do
		[ "$(uname -m)" = aarch64 ] || [ -e "/usr/aarch64-linux-gnu/lib/${library#*:}" ] ||
			missing="$missing ${library%%:*}-arm64-cross"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
		echo "missing for the tests:$missing (installed by this script where it is root and apt is there)"
		return 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086 # one word a package
	if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >"$RESULTS/apt.log" 2>&1; then
		cat "$RESULTS/apt.log"
		return 1
	fi
}

root_for_clusters() {
	[ "$(id -u)" = 0 ] || { echo "whole clusters need root: run this with sudo"; return 1; }
}

# With what is missing the tests that need it fail and say so; the others still tell something.
check 'tools for the tests' tools_for_tests || true
check 'npm ci' npm ci --no-audit --no-fund --loglevel=error || { echo '0 passed, 1 failed'; exit 1; }
export PATH="$PWD/node_modules/.bin:$PATH" # from here on the Node that kagent is built from
check types npm run --silent types || true
check lint npm run --silent lint || true
check format npm run --silent format || true
suite unit
check 'etcd to compare with' node scripts/build/bundle.ts --only etcd || true
suite integration
if check 'root for whole clusters' root_for_clusters &&
	check 'bundle and executable' node scripts/build/build.ts; then
	suite e2e
fi
node scripts/tally.ts "$RESULTS"
