#!/bin/sh
# deps.sh PACKAGE... - install the Debian packages that are missing.
set -eu
missing=
for p in "$@"; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
		grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
echo "installing:$missing" >&2
sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps.sh: please install as root: apt-get install$missing" >&2
		exit 1
	}
	sudo=sudo
fi
# A service that a package starts would hold ports that tests use.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
$sudo apt-get update -q >/dev/null
# shellcheck disable=SC2086
$sudo apt-get install -y -q --no-install-recommends $missing >/dev/null
