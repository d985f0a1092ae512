#!/bin/bash
# user.sh - what root has just seen pass, once more as an ordinary user: the
# life of sandboxes, ports and volumes, a choice of the small programs, and
# the attacks on the wall.  usage: B=build tests/user.sh
. "$(dirname "$0")/lib.sh"
top=$(cd "$(dirname "$0")/.." && pwd)
uid=54321
if [ "$(id -u)" != 0 ]; then
	skip "as an ordinary user" "this is one already"
	finish
	exit
fi
user() { setpriv --reuid $uid --regid $uid --clear-groups env -i \
	PATH="$PATH" HOME="$TMP/home" TMPDIR="$TMP/tmp" LC_ALL=C "$@"; }
trap 'user "$B/bailey" rm -f -a >/dev/null 2>&1; rm -rf "$TMP" /tmp/bailey-$uid' EXIT
chmod 755 "$TMP"
mkdir "$TMP/src" "$TMP/home" "$TMP/tmp"
cp -r "$top"/{tests,tools,include,monitor} "$TMP/src"
mkdir -p "$TMP/src/build/tests"
cp "$B/bailey" "$B/libos.elf" "$TMP/src/build"
cp "$B"/tests/* "$TMP/src/build/tests" 2>/dev/null
chown -R $uid:$uid "$TMP/src" "$TMP/home" "$TMP/tmp"
B=$TMP/src/build
cd "$TMP/src" || exit 1
if ! user "$B/bailey" doctor >"$TMP/doctor" 2>&1; then
	skip "as an ordinary user" "$(grep -m 1 '^fails' "$TMP/doctor")"
	finish
	exit
fi
same "it is not root" $uid "$(user id -u)"
same "nobody else's files" 65534 "$(user "$B/bailey" run -v "$top:/v:ro" stat -c %u /v 2>/dev/null)"
same "its own files are root's inside" "0 mine" "$(user sh -c "echo mine >$TMP/home/f
	$B/bailey run -v $TMP/home:/v:ro sh -c 'echo \$(stat -c %u /v/f) \$(cat /v/f)'")"
same "a file made in a volume is its own" $uid "$(user "$B/bailey" run -v "$TMP/home:/v" touch /v/g
	stat -c %u "$TMP/home/g")"
part() { # NAME COMMAND...: a whole script; its checks are counted as ours
	local name=$1 p f s
	shift
	user B="$B" RESULTS="$TMP/tmp/results" QUIET=1 timeout 300 "$@" 2>&1 |
		grep -E '^(FAIL|skip)' | sed "s/ / as a user, $name: /"
	read -r p f s <"$TMP/tmp/results" || fail "$name: no result"
	rm -f "$TMP/tmp/results"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}
part "lifecycle" sh tests/lifecycle.sh
part "network" bash tests/real/network.sh
part "wall" bash tests/hostile/wall.sh 11
part "progs" bash tests/progs.sh fs_names mm_mmap net_unix_pass proc_family \
	signal_rules tty_job
finish
