# shellcheck shell=sh
# The packages that a build had the package manager install, with what only they pulled in: noted beside kagent's build cache, so
# that they can be taken away again. Sourced by scripts/install.sh, whose functions it uses.

# What is needed later as well: by Node, and to fetch images.
STAYS='libatomic1 ca-certificates'

brought_list() { echo "$(dirname "$(dirname "$(scripts/build/go.sh --folder)")")/brought-packages"; } # in ~/.cache/kagent

# Debian's only; elsewhere nothing is noted, and what was installed is only said.
packages_here() {
	# shellcheck disable=SC2016 # dpkg-query's own variables
	! has dpkg-query || dpkg-query -W -f '${db:Status-Abbrev} ${binary:Package}\n' | sed -n 's/^ii *//p' | sort
}

# need_for_build NAME...: as need, and notes what it brought.
need_for_build() {
	here_before=$(packages_here)
	need "$@"
	brought=$({ echo "$here_before" && packages_here; } | sort | uniq -u)
	[ -n "$brought" ] || return 0
	list=$(brought_list)
	mkdir -p "$(dirname "$list")"
	for package in $brought; do
		case " $STAYS " in *" ${package%%:*} "*) ;; *) echo "$package" >>"$list" ;; esac
	done
	note "installed $(echo "$brought" | wc -l) packages for the build, named in $list"
	[ "$REMOVE_BUILD_TOOLS" = true ] || note "they stay; './scripts/install.sh --remove-build-tools' takes them away"
}

# Takes away what need_for_build brought and nothing that is left needs, and the Go that was fetched.
remove_build_tools() {
	list=$(brought_list)
	if [ -s "$list" ]; then
		remove_packages
	else
		note "no packages were installed for a build"
	fi
	go=$(scripts/build/go.sh --folder)
	[ ! -e "$go" ] || note "removing $go"
	rm -rf "$go"
	note "kept for the next build: node_modules, $(dirname "$go") and the caches of Go and npm"
}

remove_packages() {
	brought=$(packages_here | grep -Fx -f "$list" || true)
	# Only what nothing else needs is taken: apt is asked, with these marked as not wanted for their own sake.
	# shellcheck disable=SC2086 # one word a package
	[ -z "$brought" ] || apt-mark auto $brought >/dev/null
	going=$(apt-get -s -o APT::AutoRemove::SuggestsImportant=false autoremove | awk '$1 == "Remv" { print $2 }' | sort)
	going=$(for package in $brought; do echo "${package%%:*}"; done | sort | { echo "$going" && cat; } | sort | uniq -d)
	if [ -n "$going" ]; then
		note "removing $(echo "$going" | wc -l) packages (apt-get)"
		# shellcheck disable=SC2086
		apt-get purge -y -qq $going </dev/null >/dev/null || fail "apt-get could not remove what was installed for the build: see above. It is named in $list."
	fi
	for package in $brought; do
		case " $(echo "$going" | tr '\n' ' ') " in *" ${package%%:*} "*) ;; *) note "the package $package stays: others need it by now" ;; esac
	done
	rm -f "$list"
	for package in $going; do INSTALLED=$(echo " $INSTALLED " | sed "s/ $package / /g"); done
}
