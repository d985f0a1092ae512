#!/bin/sh
# fetch.sh - what bench-peers compares with and Debian 12 does not have, from
# Debian's packages, unpacked into a folder and never installed.
#
# usage: bench/fetch.sh FOLDER
#
# FOLDER/vmlinuz: the kernel for qemu's machine (linux-image-cloud-amd64).
# FOLDER/criu: a CRIU of Debian's next release, with its libraries; Debian
# 12's does not know the clock code of kernels since 6.13.  What cannot be had
# is left out, and bench-peers says that it is missing.
set -eu
mkdir -p "$1"
cd "$1"
here=$(pwd)

kernel() {
	rm -rf part && mkdir part && cd part
	name=$(apt-cache depends linux-image-cloud-amd64 |
		sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	timeout -k 5 240 apt-get -q download "$name" && dpkg-deb -x ./*.deb .
	cp boot/vmlinuz-* ../vmlinuz.new
	cd .. && mv vmlinuz.new vmlinuz && rm -rf part
}

# apt with lists of its own: the system's know nothing of the other release.
get() { # TOOL WORDS...
	tool=$1
	shift
	timeout -k 5 300 "$tool" -q -o Dir::State="$here/apt/state" \
		-o Dir::State::status="$here/apt/status" \
		-o Dir::Cache="$here/apt/cache" \
		-o Dir::Etc::sourcelist="$here/apt/sources.list" \
		-o Dir::Etc::sourceparts=/nonexistent \
		-o APT::Sandbox::User=root "$@"
}
criu() {
	rm -rf apt part && mkdir -p apt/state/lists/partial \
		apt/cache/archives/partial part
	: >apt/status
	echo "deb http://deb.debian.org/debian sid main" >apt/sources.list
	get apt-get update
	names=$(get apt-cache depends --recurse --no-recommends --no-suggests \
		--no-conflicts --no-breaks --no-replaces --no-enhances criu |
		grep '^[a-z]' | sort -u)
	cd part
	# shellcheck disable=SC2086 # a list of names
	get apt-get download $names
	for x in *.deb; do dpkg-deb -x "$x" ../criu.root; done
	cd ..
	lib=$here/criu.root/usr/lib/$(uname -m)-linux-gnu
	cat >criu.new <<-END
		#!/bin/sh
		exec $lib/ld-linux-x86-64.so.2 --library-path $lib \\
			$here/criu.root/usr/sbin/criu "\$@"
	END
	chmod +x criu.new && mv criu.new criu && rm -rf apt part
}

[ -e vmlinuz ] || (kernel) || echo "fetch.sh: no kernel for qemu" >&2
[ -e criu ] || (criu) || echo "fetch.sh: no newer CRIU" >&2
