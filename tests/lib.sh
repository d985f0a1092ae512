# lib.sh - what the test scripts share: counting, and one line for each check.
#
# Source it; then  pass NAME | fail NAME [WHY] | skip NAME WHY, and at the end
# of a script  finish.  Results are appended to $RESULTS when that is set, so
# that tests/run.sh can add several scripts up.

B=${B:-build}
PATH=$PATH:/usr/sbin:/sbin # nginx, for an ordinary user
BAILEY=${BAILEY:-$B/bailey}
passed=0 failed=0 skipped=0
TMP=$(mktemp -d "${TMPDIR:-/tmp}/bailey-test.XXXXXX")
trap 'rm -rf "$TMP"' EXIT

pass() { passed=$((passed + 1)); [ -n "$QUIET" ] || echo "ok   $1"; }
fail() { failed=$((failed + 1)); echo "FAIL $1${2:+: $2}"; }
skip() { skipped=$((skipped + 1)); echo "skip $1: $2"; }

# check NAME COMMAND...: passes if the command succeeds
check() {
	local name=$1 log=$TMP/check.log
	shift
	if "$@" >"$log" 2>&1; then
		pass "$name"
	else
		fail "$name" "status $?: $(tail -n 3 "$log" | tr '\n' ' ')"
	fi
}

# until_true SECONDS COMMAND...: tries again and again; fails when time is over
until_true() {
	local left=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $((left -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
}

# same NAME EXPECTED ACTUAL: two strings
same() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "expected '$2', got '$3'"
	fi
}

# status NAME EXPECTED COMMAND...: the exit status
status() {
	local name=$1 want=$2 log=$TMP/status.log
	shift 2
	"$@" >"$log" 2>&1 </dev/null
	local got=$?
	if [ "$got" = "$want" ]; then
		pass "$name"
	else
		fail "$name" "status $got instead of $want: $(tail -n 2 "$log")"
	fi
}

finish() {
	if [ -n "$RESULTS" ]; then
		echo "$passed $failed $skipped" >>"$RESULTS"
	else
		echo "$passed passed, $failed failed, $skipped skipped"
	fi
	[ "$failed" = 0 ]
}
