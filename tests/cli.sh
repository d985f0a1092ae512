#!/bin/sh
# The command itself, without starting a sandbox: options, messages, exit
# statuses, JSON, manifests, completions.  usage: B=build tests/cli.sh
. "$(dirname "$0")/lib.sh"

export XDG_RUNTIME_DIR=$TMP/run NO_COLOR=1
mkdir -m 700 "$XDG_RUNTIME_DIR"
is_json() { python3 -c 'import json, sys; json.load(sys.stdin)'; }

# ours NAME TEXT ARGUMENTS...: status 125 and TEXT in a message of at most two
# lines on stderr, nothing on stdout
ours() {
	name=$1 text=$2
	shift 2
	"$BAILEY" "$@" >"$TMP/out" 2>"$TMP/err" </dev/null
	got=$?
	if [ $got = 125 ] && [ ! -s "$TMP/out" ] &&
	   grep -qF -- "$text" "$TMP/err" &&
	   [ "$(wc -l <"$TMP/err")" -le 2 ]; then
		pass "$name"
	else
		fail "$name" "status $got: $(cat "$TMP/err")"
	fi
}

# ---- usage
ours "unknown command" "no command 'frobnicate'" frobnicate
ours "unknown option" "unknown option --frob" run --frob ls
ours "unknown letter" "unknown option -Z" run -Z ls
ours "missing argument" "needs an argument" run --name
ours "argument too many" "takes no argument" run --rm=yes ls
ours "no program" "which program" run
ours "no sandbox" 'no sandbox "nosuch"' kill nosuch
ours "which sandbox" "which one" stop
ours "exec needs a program" "usage: bailey exec" exec web
ours "bad signal" "signal 'FOO' is not known" kill -s FOO web

# ---- values
ours "missing volume" "No such file or directory" run -v "$TMP/no:/x" ls
ours "named volume" "no named volumes" run -v data:/x ls
ours "volume over root" "other than /" run -v "$TMP:/" ls
ours "volume option" "option 'foo' is not known" run -v "$TMP:/x:foo" ls
ours "device as volume" "neither a directory" run -v /dev/null:/x ls
ours "port number" "from 1 to 65535" run -p 70000:1 ls
ours "port protocol" "tcp or udp" run -p 1:1/sctp ls
ours "port address" "not an address" run -p 1.2.3:1:1 ls
ours "display's port" "from 1 to 65535" run --display=70000 ls
ours "display's address" "not an IPv4 address" run --display=here:3389 ls
ours "display's size" "WIDTHxHEIGHT" run --display --display-size 10x10 ls
ours "clipboard's way" "in, out, both" run --display --clipboard yes ls
ours "clipboard without display" "need --display" run --clipboard in ls
ours "a screen that is none" "no sandbox" view nosuch
ours "port ranges" "differ in length" run -p 10-12:10-11 ls
ours "memory" "memory '1x'" run -m 1x ls
ours "cpus" "cpus 'two'" run --cpus two ls
ours "ulimit name" "no limit is named 'foo'" run --ulimit foo=1 ls
ours "ulimit order" "above the hard one" run --ulimit nofile=9:8 ls
ours "tmpfs path" "an absolute path" run --tmpfs tmp ls
ours "tmpfs option" "option 'x=1' is not known" run --tmpfs /t:x=1 ls
ours "network" "none or host" run --network bridge ls
ours "user" "user 'nosuch' is not known" run -u nosuch ls
ours "group" "group 'nosuch' is not known" run -u 0:nosuch ls
ours "name" "is not good" run --name 'a b' ls
ours "host name" "host name 'a_b'" run --hostname a_b ls
ours "workdir" "an absolute path" run -w here ls
ours "umask" "umask '9'" run --umask 9 ls
ours "rootfs" "No such file or directory" run --rootfs "$TMP/no" ls
ours "rootfs is a file" "not a directory" run --rootfs /etc/passwd ls
ours "env file" "No such file" run --env-file "$TMP/no" ls
ours "environment" "NAME=VALUE" run -e =x ls

# ---- manifests: which field, why
manifest() {
	printf '%s\n' "$3" >"$TMP/m.json"
	ours "manifest: $1" "$2" run --manifest "$TMP/m.json" ls
}
ours "manifest: missing" "No such file" run --manifest "$TMP/no" ls
manifest syntax "line 2" '{'
manifest "not an object" "an object is needed" '[]'
manifest args "process.args[0]: a string" '{"process":{"args":[1]}}'
manifest env "process.env[0]" '{"process":{"env":["X"]}}'
manifest cwd "process.cwd" '{"process":{"cwd":"x"}}'
manifest terminal "process.terminal" '{"process":{"terminal":1}}'
manifest rlimit "process.rlimits[0].type" \
	'{"process":{"rlimits":[{"type":"RLIMIT_X","soft":1,"hard":2}]}}'
manifest uid "process.user.uid" '{"process":{"user":{"uid":-1}}}'
manifest root "root.path: is missing" '{"root":{}}'
manifest "root path" "root.path: root file system" '{"root":{"path":"no"}}'
manifest mount "mounts[0].destination" '{"mounts":[{"destination":"x"}]}'
manifest "mount type" "mounts[0].type: 'zfs'" \
	'{"mounts":[{"destination":"/x","type":"zfs"}]}'
manifest "mount source" "mounts[0].source" \
	'{"mounts":[{"destination":"/x","type":"bind"}]}'
manifest memory "linux.resources.memory.limit" \
	'{"linux":{"resources":{"memory":{"limit":"x"}}}}'
manifest hooks "hooks" '{"hooks":{}}'
manifest ports 'annotations["bailey.publish"]' \
	'{"annotations":{"bailey.publish":"x"}}'

# ---- output
for c in run ps exec logs kill stop wait inspect rm spec syscalls abi doctor \
	version help pause unpause save resume warm branch move image; do
	check "$c --help" "$BAILEY" $c --help
	[ "$("$BAILEY" help $c)" = "$("$BAILEY" $c --help)" ] &&
		pass "help $c" || fail "help $c"
done
for c in "ps --json" "ps -a --format json" "syscalls --json" "abi --json" \
	"abi --host --json" "doctor --json" "version --json" "spec -o -"; do
	# doctor may end with 125 where the host lacks something
	"$BAILEY" $c 2>/dev/null | is_json && pass "$c is JSON" ||
		fail "$c is JSON"
done
same "35 host calls" 35 "$("$BAILEY" abi --json | grep -c '"way"')"
n=$("$BAILEY" abi --host --json | grep -c '"filter"')
[ "$n" -le 20 ] && pass "at most 20 host system calls ($n)" ||
	fail "at most 20 host system calls" "$n"
same "362 system calls" 362 "$("$BAILEY" syscalls --json | grep -c '"number"')"
check "spec writes" "$BAILEY" spec -o "$TMP/config.json" echo hi
ours "spec keeps a file" "File exists" spec -o "$TMP/config.json"
status "rm -f of a missing one" 0 "$BAILEY" rm -f nosuch
"$BAILEY" run --help | awk 'length > 80 { exit 1 }' &&
	pass "help fits 80 columns" || fail "help fits 80 columns"
same "no colour in a pipe" "" "$(env -u NO_COLOR "$BAILEY" doctor |
	tr -cd '\033')"

# ---- the state directory must be ours alone
chmod 755 "$XDG_RUNTIME_DIR/bailey"
ours "open state directory" "others may enter it" ps
chmod 700 "$XDG_RUNTIME_DIR/bailey"

# ---- tables
check "host ABI: table and header" sh "$(dirname "$0")/unit/abi_table.sh"
if [ -e "$B/libos.elf" ]; then
	check "system calls: levels are true" sh tools/check-syscalls.sh \
		"$B/libos.elf" libos/sys/syscalls.tbl
fi
check "bash completion" bash -n "$B/completions/bailey.bash"
! grep -qE '^(words|values)=$' "$B/completions/bailey.bash" &&
	pass "completion has words" || fail "completion has words"
if command -v mandoc >/dev/null; then
	for p in bailey.1 bailey-manifest.5; do
		mandoc -T lint -W warning "$B/man/$p" >"$TMP/lint" 2>&1 &&
			pass "$p is clean" || fail "$p" "$(head -2 "$TMP/lint")"
	done
fi
finish
