#!/bin/sh
# Prints the folder with the programs of the Go that builds kagent: scripts/build/go.sh [--folder]
# Where no Go of this very version is on the PATH it is fetched as a Go module, by whatever Go there is, through the GOPROXY
# and checked by the GOSUMDB that the user has set. It goes to kagent's build cache; no Go of the machine is changed.
# With --folder it fetches nothing, and prints the path that the fetched one has. Ends with 3 where no Go is there to fetch
# it; --any asks for that alone.
set -eu
VERSION=1.26.8 # the only place that says it

fail() {
	echo "go.sh: $*" >&2
	exit 1
}

case $(uname -m) in
x86_64 | amd64) ARCH=amd64 ;;
aarch64 | arm64) ARCH=arm64 ;;
*) fail "kagent is not built on $(uname -m), only on x86_64 and aarch64" ;;
esac
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d : -f 6)}
export HOME
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/kagent/build # as scripts/build/cache.ts has it
FETCHED=$CACHE/go-$VERSION-linux-$ARCH

# What the user's own work may need: none of it is for this.
unset GOROOT GOWORK
export GOTOOLCHAIN=local GO111MODULE=on GOFLAGS='-mod=mod -modcacherw'

version_of() { "$1/go" version 2>/dev/null </dev/null | cut -d ' ' -f 3; }

# Prints the folder of a Go of exactly this version, or else of any that works; /usr/local/go is where Go's own archive goes.
go_here() {
	any=
	IFS=:
	for folder in $PATH /usr/bin /usr/local/go/bin; do
		[ -x "$folder/go" ] || continue
		found=$(version_of "$folder")
		if [ "$found" = "go$VERSION" ]; then
			echo "$("$folder/go" env GOROOT)/bin"
			return
		fi
		case $found in go[1-9]*) any=${any:-$folder} ;; esac
	done
	echo "$any"
}

# fetch FOLDER: by the Go in it. What is whole gets its name by one rename: a run that was broken off leaves nothing to use.
fetch() {
	mkdir -p "$CACHE"
	temporary=$(mktemp -d "$CACHE/go.tmp-XXXXXX")
	trap 'rm -rf "$temporary"' EXIT
	trap 'exit 1' HUP INT TERM
	module=golang.org/toolchain@v0.0.1-go$VERSION.linux-$ARCH
	echo "    fetching Go $VERSION (for this build alone; here is $(version_of "$1"))" >&2
	(cd "$temporary" && GOPATH=$temporary GOMODCACHE=$temporary/pkg/mod "$1/go" mod download -json "$module") >"$temporary/answer" ||
		fail "Go $VERSION could not be fetched by $1/go: $(sed -n 's/.*"Error": //p' "$temporary/answer") Is this machine's way to the Go module proxy (go env GOPROXY) open?"
	new=$temporary/pkg/mod/$module
	# Modules have no run bits, and their go.mod is out of the way: Go's own way of fetching its versions does the same.
	chmod 755 "$new"/bin/* "$new"/pkg/tool/*/*
	for folder in src src/cmd; do [ ! -e "$new/$folder/_go.mod" ] || mv "$new/$folder/_go.mod" "$new/$folder/go.mod"; done
	[ "$(version_of "$new/bin")" = "go$VERSION" ] || fail "the Go that was fetched does not run here: $("$new/bin/go" version 2>&1)"
	touch "$new"
	mv -T "$new" "$FETCHED" 2>/dev/null || [ -x "$FETCHED/bin/go" ] || fail "$FETCHED cannot be written" # else another run was faster
}

case ${1:-} in
--folder) echo "$FETCHED" && exit ;;
'' | --any) ;;
*) fail "there is no $1: see the head of this file" ;;
esac
if [ -x "$FETCHED/bin/go" ]; then
	[ "${1:-}" != --any ] || exit 0
	touch -c "$FETCHED" 2>/dev/null || true # used today: the cache forgets what nobody used for a month
	echo "$FETCHED/bin"
	exit
fi
here=$(go_here)
if [ -z "$here" ]; then
	[ "${1:-}" = --any ] || echo "go.sh: no Go works here: install the distribution's package (golang-go, golang or go; any version will do), which fetches Go $VERSION for this build" >&2
	exit 3
fi
[ "${1:-}" != --any ] || exit 0
if [ "$(version_of "$here")" = "go$VERSION" ]; then
	echo "$here"
else
	fetch "$here"
	echo "$FETCHED/bin"
fi
