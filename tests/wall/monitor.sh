#!/bin/sh
# The monitor around a stand-in for the library OS: every way to end, as root
# and as an ordinary user.  usage: monitor.sh wall-run fake.elf
set -u
run=$1 image=$2
dir=$(mktemp -d /tmp/monitor-sh-XXXXXX)
cp "$run" "$dir/run"
cp "$image" "$dir/fake.elf"
mkdir "$dir/v"
chmod 755 "$dir" "$dir/run"
failed=0
as=
[ "$(id -u)" = 0 ] && as="root user"

expect() { # what, wanted last line
	got=$(cd /tmp && timeout 20 $by "$dir/run" "$dir/fake.elf" "$dir/v" \
		"$1" 2>&1)
	case $got in
	*FAIL*) printf '%s\n' "$got" | grep FAIL; failed=1 ;;
	esac
	case $got in
	*"end: $2"*) echo "ok $who $1" ;;
	*) echo "FAIL $who $1: $(printf '%s\n' "$got" | tail -1)"; failed=1 ;;
	esac
}

for who in ${as:-user}; do
	by=
	if [ "$who" = user ] && [ "$(id -u)" = 0 ]; then
		by="setpriv --reuid 12345 --regid 12345 --clear-groups"
		chown 12345:12345 "$dir/v"
	fi
	expect checks "0 "
	expect trap "42 "
	expect fault "43 "
	expect kill "159 the sandbox was ended: its process 2 was killed by"
	expect badarg "159 the sandbox was ended"
	expect badrequest "159 the sandbox was ended: unpermitted request"
	expect crash "125 it broke"
	expect gone "125 the sandbox was ended: its last process"
done
rm -rf "$dir" /tmp/monitor-test-??????
exit $failed
