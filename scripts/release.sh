#!/bin/sh
# Lays out a release as files that any static web server can hand out.
#
#   ./scripts/release.sh [--address URL] [--version V] [--channel NAME] [--arch amd64,arm64] OUT_DIR
#
# --address   where OUT_DIR will be served: goes into install.sh and into the slim executables. Without one, both ask for it.
# --version   what is released (package.json's)
# --channel   the channel that names this version afterwards (stable)
# --arch      which kinds of processor (amd64,arm64); what is not this box's own is cross-built
#
#   OUT_DIR/install.sh
#   OUT_DIR/channels/stable                   the version
#   OUT_DIR/v1.2.3/kagent-amd64               with its components inside; .gz and .zst: what is downloaded
#   OUT_DIR/v1.2.3/kagent-slim-amd64          fetches its components:
#   OUT_DIR/v1.2.3/bundle-amd64
#   OUT_DIR/v1.2.3/libatomic.so.1-amd64       for boxes that lack it
#   OUT_DIR/v1.2.3/sbom-amd64.spdx.json  NOTICES-amd64.txt  sha256sum-amd64.txt
#
# The same sources give the same bytes. Other versions in OUT_DIR stay; one that is there is never changed.
set -eu

ROOT=$(cd "$(dirname "$0")/.." && pwd)
ADDRESS=
VERSION=
CHANNEL=stable
ARCHES=amd64,arm64
OUT=

fail() {
	echo "release.sh: $*" >&2
	exit 1
}
wrong_usage() {
	echo "release.sh: $*" >&2
	echo "usage: release.sh [--address URL] [--version V] [--channel NAME] [--arch amd64,arm64] OUT_DIR" >&2
	exit 2
}

# plain WHAT VALUE: it becomes a part of paths and addresses.
plain() {
	case $2 in
	'' | [!A-Za-z0-9]* | *[!A-Za-z0-9._+-]*) wrong_usage "the $1 \"$2\" may only have letters, digits and . _ + -, and begins with a letter or digit" ;;
	esac
}

options() {
	while [ $# -gt 0 ]; do
		case $1 in
		--address | --version | --channel | --arch)
			[ $# -ge 2 ] || wrong_usage "$1 needs a value"
			set_option "$1" "$2"
			shift
			;;
		--*=*) set_option "${1%%=*}" "${1#*=}" ;;
		-*) wrong_usage "there is no $1" ;;
		*)
			[ -z "$OUT" ] || wrong_usage "one folder only: $OUT, or $1?"
			OUT=$1
			;;
		esac
		shift
	done
	[ -n "$OUT" ] || wrong_usage "name the folder to lay the release out in"
	[ -n "$VERSION" ] || VERSION=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$ROOT/package.json")
	VERSION=${VERSION#v}
	ADDRESS=${ADDRESS%/}
	plain version "$VERSION"
	plain channel "$CHANNEL"
	# It is written into a shell script: nothing in it may mean something there.
	case $ADDRESS in
	'') ;;
	*[!A-Za-z0-9._~:/%@+-]*) wrong_usage "the address \"$ADDRESS\" has characters that an address does not need" ;;
	http://?* | https://?*) ;;
	*) wrong_usage "the address \"$ADDRESS\" begins with neither https:// nor http://" ;;
	esac
	for arch in $(echo "$ARCHES" | tr ',' ' '); do
		case $arch in
		amd64 | arm64) ;;
		*) wrong_usage "there is no kagent for $arch, only for amd64 and arm64" ;;
		esac
	done
}

set_option() {
	case $1 in
	--address) ADDRESS=$2 ;;
	--version) VERSION=$2 ;;
	--channel) CHANNEL=$2 ;;
	--arch) ARCHES=$2 ;;
	*) wrong_usage "there is no $1" ;;
	esac
}

# build ARCH: everything of one architecture, in a folder of its own.
build() {
	built=$ROOT/dist/release/$1
	set -- --arch "$1" --version "$VERSION" --out "$built"
	[ -z "$ADDRESS" ] || set -- "$@" --address "$ADDRESS/v$VERSION"
	(cd "$ROOT" && "$NODE" scripts/build/build.ts "$@") || fail "the build did not succeed: nothing was released"
}

# collect ARCH: copies what was built under the names of the release.
collect() {
	built=$ROOT/dist/release/$1
	for pair in kagent:kagent-$1 kagent-slim:kagent-slim-$1 bundle:bundle-$1 sbom.spdx.json:sbom-$1.spdx.json NOTICES.txt:NOTICES-$1.txt \
		libatomic.so.1:libatomic.so.1-$1; do
		cp "$built/${pair%%:*}" "$WORK/${pair#*:}"
	done
	"$NODE" "$ROOT/scripts/build/compress.ts" "$WORK/kagent-$1" "$1" || fail "the executable cannot be compressed: nothing was released"
	(cd "$WORK" && sha256sum "NOTICES-$1.txt" "bundle-$1" "kagent-$1" "kagent-$1.gz" "kagent-$1.zst" "kagent-slim-$1" "libatomic.so.1-$1" "sbom-$1.spdx.json" >"sha256sum-$1.txt")
	chmod 755 "$WORK/kagent-$1" "$WORK/kagent-slim-$1"
}

# refuse_change: a version that was released is what somebody has installed.
refuse_change() {
	[ -d "$OUT/v$VERSION" ] || return 0
	for new in "$WORK"/*; do
		old=$OUT/v$VERSION/${new##*/}
		[ ! -e "$old" ] || cmp -s "$new" "$old" ||
			fail "$old is there with other bytes, and a version that was released is never changed: choose another --version, or take that folder away"
	done
}

# put FILE PLACE: as a whole or not at all.
put() {
	cp "$1" "$2.tmp-$$"
	mv -f "$2.tmp-$$" "$2"
}

install_script() {
	sed "s|^RELEASE_ADDRESS=.*|RELEASE_ADDRESS='$ADDRESS'|" "$ROOT/scripts/install.sh" >"$WORK.install.sh"
	[ "$(grep -c "^RELEASE_ADDRESS='$ADDRESS'\$" "$WORK.install.sh")" = 1 ] || fail "scripts/install.sh has not one line RELEASE_ADDRESS= to fill in"
	chmod 755 "$WORK.install.sh"
	put "$WORK.install.sh" "$OUT/install.sh"
}

main() {
	options "$@"
	NODE=$("$ROOT/scripts/build/node.sh") || fail "there is no Node to build with: see above. Nothing was released."
	umask 022
	mkdir -p "$OUT/channels"
	OUT=$(cd "$OUT" && pwd)
	WORK=$OUT/.v$VERSION.tmp-$$
	trap 'rm -rf "$WORK" "$WORK.install.sh"' EXIT
	mkdir "$WORK"
	for arch in $(echo "$ARCHES" | tr ',' ' '); do
		build "$arch"
		collect "$arch"
	done
	refuse_change
	mkdir -p "$OUT/v$VERSION"
	for file in "$WORK"/*; do mv -f "$file" "$OUT/v$VERSION/"; done
	install_script
	echo "v$VERSION" >"$WORK/channel"
	put "$WORK/channel" "$OUT/channels/$CHANNEL" # last: from here on it is what people get
	echo "released v$VERSION in $OUT, channel $CHANNEL"
	[ -n "$ADDRESS" ] || echo "without --address: install.sh wants INSTALL_KAGENT_MIRROR, a slim executable wants --bundle"
}

main "$@"
