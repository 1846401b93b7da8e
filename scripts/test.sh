#!/bin/sh
# Every test there is, from a fresh clone on: installs what the tests need, builds, checks, runs, and ends with
# one line "N passed, N failed". Needs root for the whole clusters; without it those count as failed.
#
#   ./scripts/test.sh [tools] [checks] [unit] [integration] [e2e]     only these
#
# tools         the packages that all tests need
# checks        types, lint and format
# unit          needs npm alone
# integration   with the tools, etcd to compare with, and containerd
# e2e           whole clusters, with the tools and what is built here
set -eu
cd "$(dirname "$0")/.."
exec </dev/null
export CI=true

[ $# -gt 0 ] || set -- tools checks unit integration e2e
for word in "$@"; do
	case $word in
	tools | checks | unit | integration | e2e) ;;
	*) echo "test.sh: there is no suite '$word': tools, checks, unit, integration or e2e" >&2 && exit 2 ;;
	esac
done
WANTED=" $* "

RESULTS=$(mktemp -d)
trap 'rm -rf "$RESULTS"' EXIT
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin" # where sudo and a bare environment do not look

wants() {
	for name in "$@"; do case $WANTED in *" $name "*) return ;; esac; done
	return 1
}

now() { cut -d ' ' -f 1 /proc/uptime; }

# check NAME COMMAND...: one thing that passes or fails as a whole.
check() {
	name=$1
	shift
	echo "==> $name"
	check_start=$(now)
	if "$@"; then outcome=passed; else outcome=failed; fi
	echo "$outcome $name" >>"$RESULTS/checks"
	seconds=$(awk -v from="$check_start" -v to="$(now)" 'BEGIN { printf "%d", to - from }')
	echo "$seconds $name" >>"$RESULTS/times"
	echo "==> $name $outcome after $seconds s"
	[ $outcome = passed ]
}

# suite PROJECT: its tests are counted one by one.
suite() {
	echo "==> $1 tests"
	KAGENT_TEST_RESULTS=$RESULTS/$1 vitest run --project "$1" || true
	[ -s "$RESULTS/$1.json" ] || echo "failed $1 tests: they did not run" >>"$RESULTS/checks"
}

# What every suite needs.
tools_for_npm() {
	missing=
	scripts/build/node.sh --installed || scripts/build/node.sh --npm >/dev/null 2>&1 || missing="nodejs npm"
	[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
	# What Node is linked with.
	[ -n "$(ls /lib*/*/libatomic.so.1 /usr/lib*/libatomic.so.1 2>/dev/null)" ] || missing="$missing libatomic1"
	install_missing
}

tools_for_tests() {
	missing=
	scripts/build/go.sh --any || missing=golang-go
	for pair in gcc:gcc cc:libc6-dev pkg-config:pkg-config iptables:iptables ip:iproute2 nft:nftables conntrack:conntrack \
		setpriv:util-linux modprobe:kmod ps:procps curl:curl wget:wget zstd:zstd shellcheck:shellcheck python3:python3 \
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
	install_missing
}

install_missing() {
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

# Go for tests that are Go programs; the build finds the same by itself.
go_for_tests() {
	go=$(scripts/build/go.sh) || return 1
	PATH=$go:$PATH
}

check 'tools for npm' tools_for_npm || true
check 'npm ci' scripts/build/node.sh || { echo '0 passed, 1 failed'; exit 1; }
export PATH="$PWD/node_modules/.bin:$PATH" # from here on the Node that kagent is built from
if wants tools integration e2e; then
	# With what is missing the tests that need it fail and say so; the others still tell something.
	check 'tools for the tests' tools_for_tests || true
	check 'Go for the tests' go_for_tests || true
fi
if wants checks; then
	check types node --run types || true
	check lint node --run lint || true
	check format node --run format || true
fi
! wants unit || suite unit
if wants integration; then
	check 'etcd to compare with, containerd to bring images into' node scripts/build/bundle.ts --only etcd,containerd || true
	suite integration
fi
if wants e2e && check 'root for whole clusters' root_for_clusters &&
	check 'bundle and executable' node scripts/build/build.ts; then
	suite e2e
fi
node scripts/tally.ts "$RESULTS"
