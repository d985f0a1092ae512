#!/bin/bash
# shell.sh - shells and the small tools: each script runs natively and inside,
# and what it prints and its exit status must be equal.  Then the options of
# `bailey run` that a shell can look at, exit statuses, and bad input.
. "$(dirname "$0")/../lib.sh"
export LC_ALL=C

run() { timeout -s KILL 60 "$BAILEY" run "$@"; }

# both NAME SCRIPT [SHELL...]: the same script natively and inside
both() {
	local name=$1 script=$2 ns is
	shift 2
	[ $# -gt 0 ] || set -- bash
	mkdir -p "$TMP/native"
	(cd "$TMP/native" && PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/nowhere \
		timeout -s KILL 60 "$@" -c "$script") \
		</dev/null >"$TMP/n.out" 2>"$TMP/n.err"
	ns=$?
	rm -rf "$TMP/native"
	run -i -w /tmp -e HOME=/nowhere -e LC_ALL=C "$@" -c "$script" \
		</dev/null >"$TMP/i.out" 2>"$TMP/i.err"
	is=$?
	if [ $ns = $is ] && cmp -s "$TMP/n.out" "$TMP/i.out"; then
		pass "$name"
	else
		fail "$name" "status $ns natively, $is inside: $(diff "$TMP/n.out" \
			"$TMP/i.out" | head -n 6 | tr '\n' '|')$(tail -n 2 "$TMP/i.err")"
	fi
}
# error NAME STATUS TEXT ARGUMENTS...: bailey's own message, two lines at most
error() {
	local name=$1 want=$2 text=$3 got
	shift 3
	run "$@" </dev/null >"$TMP/out" 2>"$TMP/err"
	got=$?
	if [ $got = "$want" ] && grep -qi -- "$text" "$TMP/err" &&
	   [ "$(wc -l <"$TMP/err")" -le 2 ]; then
		pass "$name"
	else
		fail "$name" "status $got instead of $want: $(head -n 3 "$TMP/err")"
	fi
}

# ---- bash
both "pipelines" 'seq 1 20000 | sed s/1/x/ | tr x y | sort -r | uniq -c | tail -n 3
	false | true; echo ${PIPESTATUS[@]}; set -o pipefail; false | cat; echo $?
	yes | head -n 3; echo ${PIPESTATUS[@]}'
both "here-documents" 'x=5; cat <<A; cat <<"B"; cat <<-C; cat <<<"word $x"
one $x $(echo two)
A
no $x
B
	tabs go
	C
(head -c 200000 /dev/zero | tr "\0" z) > big; f=$(cat big); wc -c <<<"$f"'
both "redirections" 'exec 3>f 4<>g; echo a >&3; echo b >&4; echo c >>f
	{ echo out; echo err >&2; } 2>&1 | sort; cat f g; exec 3>&-; echo x >&3; echo $?
	cat < <(echo sub); diff <(seq 3) <(seq 4); echo $?; mkfifo p; cat p & echo q >p; wait'
both "FIFOs opened and closed at once" 'for k in $(seq 30); do mkfifo p; cat p & echo $k >p
	wait; rm p; done'
both "traps" 'trap "echo usr1" USR1; trap "echo int" INT; trap "echo bye" EXIT
	kill -USR1 $$; kill -INT $$; trap "" TERM; kill -TERM $$
	(trap - TERM; kill -TERM $BASHPID); echo $?; trap -p USR1; false || exit 7'
both "a trap interrupts wait" 'trap "echo got; kill \$p" USR1; sleep 30 & p=$!
	(sleep 0.2; kill -USR1 $$) & wait $p; echo $?; wait $p; echo $?'
both "job control" 'set -m; sleep 30 & sleep 31 & jobs | sed "s/ *[0-9]*$//"
	kill -STOP %1; sleep 0.3; jobs | sed "s/  */ /g"; bg %1 2>&1; kill %1; wait %1; echo $?
	kill %2; wait; echo $?; (sleep 0.2; exit 3) & fg %+ >/dev/null; echo $?
	sleep 5 & kill -TSTP %%; sleep 0.2; jobs -s | grep -c Stopped; kill -9 %%; sleep 0.3; wait %% 2>/dev/null; echo $?'
both "process groups" 'set -m; (sleep 40 & sleep 41 & wait) & sleep 0.3
	kill -TERM -$!; wait $!; echo $?; ps -eo args 2>/dev/null | grep -c "^sleep 4[01]"'
both "coprocess" 'coproc cat; echo hi >&${COPROC[1]}; read -u ${COPROC[0]} l; echo $l'
both "a thousand processes" 'n=0; for i in $(seq 1000); do /bin/true && n=$((n+1)); done; echo $n'
both "a thousand subshells" 's=0; for i in $(seq 1000); do s=$((s + $(echo 1))); done; echo $s'
both "sixty at once" 'for i in $(seq 60); do (sleep 0.2; exit $i) & p="$p $!"; done
	s=0; for j in $p; do wait $j; s=$((s+$?)); done; echo $s'
both "ulimit and EMFILE" 'ulimit -n 16; for i in $(seq 3 20); do eval "exec $i</dev/null" || break; done 2>/dev/null; echo $i'
both "globs, tests, umask" 'mkdir d; touch d/{a,b}{1,2}; echo d/*; umask 027; touch u; mkdir v
	stat -c "%a %F %s %h" u v; ln -s u l; ln u h; test -L l -a u -ef h && echo links
	chmod 4755 u; stat -c %A u; mv d e; ls e; rm -r e; ls; cd v; rmdir ../v; basename $PWD; touch x 2>/dev/null; echo $?'
both "dash" 'set -e; f() { for i in 1 2 3; do echo $i; done; }; f | while read x; do echo "<$x>"; done
	trap "echo end" 0; kill -0 $$; exit 9' dash
both "coreutils" 'seq 100 | shuf --random-source=/bin/ls | sort -n | md5sum; head -c 1M /usr/bin/bash >h
	split -b 100k h s.; cat s.* | cmp - h && ls s.* | wc -l; sha256sum h; tac /etc/passwd | tac | cmp - /etc/passwd
	dd if=h of=k bs=4k count=10 seek=100 2>/dev/null; stat -c "%s" k; du --apparent-size -k h | cut -f1
	truncate -s 3G sparse; stat -c "%s %b" sparse; cp -a h h2; cmp h h2; install -m 600 h i; stat -c %a i
	timeout 0.2 sleep 9; echo $?; timeout -s KILL 0.2 sleep 9; echo $?; nice -n 5 nice; env -i A=1 env
	touch -d "2001-02-03 04:05:06 UTC" t; stat -c %Y t; date -u -r t; mktemp -d XXXXXX | wc -c; nl /etc/profile | tail -n 1
	echo a b c | xargs -n 1 -P 3 echo | sort; tee x y <<<z; cat x y; realpath . >/dev/null; readlink -f /proc/self/exe; od -c x; printf "%s\n" {1..9} | paste -s -d+'
both "find" 'find /usr/include | sort | md5sum; find /usr/include -name "*.h" -size +20k | wc -l
	find /usr/include/linux -type f -print0 | xargs -0 cat | wc; find /usr/include -type d -exec true {} + ; echo $?'
both "contents of a tree" 'cd /usr/include; find . -type f | sort | xargs md5sum | md5sum
	cat $(find linux -name "*.h" | sort) | tr -cs A-Za-z "\n" | sort | uniq -c | sort -rn | head -n 20'
both "grep, sed, awk" 'grep -rc define /usr/include/linux | sort | md5sum
	awk "{ n[\$1]++ } END { for (i in n) print n[i], i }" /usr/include/linux/*.h | sort | md5sum; sed -n "/ifndef/,/endif/p" /usr/include/stdio.h | md5sum'
both "tar, gzip, xz" 'tar -C /usr/include -cf a.tar linux && gzip -n <a.tar >a.gz && xz -1 -T2 <a.tar >a.xz
	zcat a.gz | cmp - a.tar && xz -dc a.xz | cmp - a.tar && md5sum <a.gz; mkdir o; tar -C o -xzf a.gz
	diff -r o/linux /usr/include/linux && echo equal; tar tf a.tar | sort | md5sum; tar -cJf b.txz o; tar tJf b.txz | wc -l'
both "bzip2, cpio-like copies" 'cp -r /usr/include/linux c; (cd c; tar cf - .) | (mkdir d; cd d; tar xf -); diff -r c d; echo $?; rm -r c d; ls'
same "tar, gzip, xz of /usr/include" "$(tar -C /usr -cf - include | md5sum) equal" "$(timeout -s KILL 300 "$BAILEY" run -w /tmp -e LC_ALL=C bash -c '
	tar -C /usr -cf a.tar include && md5sum <a.tar && gzip -1 <a.tar | zcat | cmp - a.tar && xz -0 -T2 <a.tar | xz -dc | cmp - a.tar &&
	mkdir o && tar -C o -xf a.tar && diff -r --no-dereference o/include /usr/include && echo equal' | paste -sd " ")"
both "perl" 'perl -e "my %h; open F, q(/etc/services); while (<F>) { \$h{length}++ } print qq(\$_ \$h{\$_}\n) for sort keys %h;
	my \$p = fork; if (!\$p) { exit 3 } waitpid \$p, 0; print \$? >> 8, qq(\n); local \$SIG{ALRM} = sub { print qq(alarm\n) };
	alarm 1; select undef, undef, undef, 5; print sort { \$a <=> \$b } map { \$_ * 2 } 1..9; print \`echo sub\`;
	use Socket; socketpair A, B, AF_UNIX, SOCK_STREAM, PF_UNSPEC; syswrite A, q(x); sysread B, \$b, 1; print \$b;
	pipe R, W; print W q(pipe); close W; print <R>; kill TERM => \$\$"'
cp "$(command -v busybox)" "$TMP/busybox"
both "a program's own title" 'perl -e '\''$0 = "my title"; system "tr -d \\\\0 </proc/$$/cmdline"; $0 = "x" x 50; open F, "/proc/self/cmdline"; print <F>'\'' | tr -d "\\0"'
both "busybox" 'for i in 1 2 3; do echo $i | md5sum; done; ls -l /etc/passwd | cut -c1-10; seq 5 | tac 2>/dev/null | sort -n
	vi --help >/dev/null 2>&1; sleep 0.1 & wait; find /usr/include/linux | wc -l; tar cf - /usr/include/linux 2>/dev/null | gzip -1 | zcat | md5sum; ps >/dev/null; echo $?' busybox sh

# ---- exit statuses
status "exit 7" 7 run sh -c 'exit 7'
status "exit 255" 255 run bash -c 'exit -1'
status "SIGTERM is 143" 143 run bash -c 'kill -TERM $$'
status "SIGKILL is 137" 137 run bash -c 'kill -KILL $$'
status "SIGSEGV is 139" 139 run bash -c 'kill -SEGV $$'
error "not found" 127 "not found" no-such-program
error "no such path" 127 "no such\|not found" /no/such/path
error "not executable" 126 "permission\|not executable" /etc/passwd
error "a directory" 126 "directory\|permission\|not executable" /etc
error "our own error" 125 "unknown option" --frob true
status "the program that ends, ends all" 0 run sh -c 'sleep 100 & exit 0'

# ---- options
same "-i" "4 d" "$(printf 'd\nd\nd\nd\n' | run -i sh -c 'sort | uniq -c' | xargs)"
same "without -i" 0 "$(echo data | run sh -c 'wc -c')"
same "-i, binary, both ways" "$(head -c 3000000 "$BAILEY" | md5sum)" \
	"$(head -c 3000000 "$BAILEY" | run -i cat | md5sum)"
same "stdout and stderr apart" "out" "$(run sh -c 'echo out; echo err >&2' 2>/dev/null)"
same "-e" "1 two 3" "$(THREE=3 run -e A=1 -e 'B=two' -e THREE sh -c 'echo $A $B $THREE')"
same "no environment leaks" "" "$(SECRET=x run sh -c 'echo $SECRET')"
printf '# comment\nX=from file\n\nY=2\n' >"$TMP/env"
same "--env-file" "from file 2" "$(run --env-file "$TMP/env" sh -c 'echo $X $Y')"
same "-w" /usr/include "$(run -w /usr/include pwd)"
same "-u" "1000 1001 1000" "$(run -u 1000:1001 sh -c 'id -u; id -g; awk "/^Uid/ { print \$3 }" /proc/self/status' | xargs)"
same "-u by name" "nobody" "$(run -u nobody id -un)"
status "-u: root's files are closed" 1 run -u 1000 sh -c 'touch /usr/x'
same "--hostname" yard "$(run --hostname yard sh -c 'hostname')"
same "--entrypoint" "a b" "$(run --entrypoint echo /ignored a b 2>/dev/null | sed 's|^/ignored ||')"
same "private layer" "mine" "$(run sh -c 'echo mine >/usr/include/stdio.h; cat /usr/include/stdio.h')"
check "the host is not changed" grep -q printf /usr/include/stdio.h
same "empty places" "" "$(run sh -c 'ls -A /home /root /tmp 2>&1 | grep -v : | xargs')"
status "--read-only" 2 run --read-only sh -c 'echo x >/usr/x'
same "--read-only and --tmpfs" ok "$(run --read-only --tmpfs /scratch sh -c 'echo ok >/scratch/x && cat /scratch/x')"
same "--tmpfs with a size" full "$(run --tmpfs /t:size=1m sh -c 'head -c 2M /dev/zero >/t/x 2>/dev/null || echo full')"
mkdir -p "$TMP/vol/sub" && echo in >"$TMP/vol/f" && chmod 777 "$TMP" "$TMP/vol"
same "-v: read, write, rename, remove" "in new" "$(run -v "$TMP/vol:/v" sh -c \
	'cat /v/f; echo new >/v/n; cat /v/n; mv /v/n /v/m; mkdir /v/d; touch /v/d/x; rm -r /v/d; ln -s m /v/l; chmod 640 /v/m' | xargs)"
same "-v: seen outside" "f l m sub" "$(ls "$TMP/vol" | xargs)"
same "-v: mode and contents" "640 new" "$(stat -c %a "$TMP/vol/m") $(cat "$TMP/vol/l")"
same "-v :ro" "in denied" "$(run -v "$TMP/vol:/v:ro" sh -c 'cat /v/f; echo x 2>/dev/null >/v/y || echo denied' | xargs)"
same "-v of a file" "in" "$(run -v "$TMP/vol/f:/etc/one" cat /etc/one)"
same "-v: no way out" "" "$(run -v "$TMP/vol:/v" sh -c 'ln -s ../env /v/esc; cat /v/esc 2>/dev/null; cat /v/../env 2>/dev/null')"
status "--rm leaves no name" 0 run --rm --name "real-shell-$$" true
check "--rm: the name is free" run --rm --name "real-shell-$$" true
same "nothing of the host's processes" "1" "$(run sh -c 'ls /proc | grep -c "^1$"')"
same "--ulimit" 77 "$(run --ulimit nofile=77:77 sh -c 'ulimit -n')"

# ---- bad input
mkdir "$TMP/bad"
head -c 40 /bin/true >"$TMP/bad/short"
head -c 2000 /bin/true >"$TMP/bad/cut"
{ printf '\177ELF\001'; tail -c +6 /bin/true; } >"$TMP/bad/elf32"
{ head -c 18 /bin/true; printf '\267\000'; tail -c +21 /bin/true; } >"$TMP/bad/arm"
printf '#!/no/such/interpreter\necho\n' >"$TMP/bad/script"
printf '#!/v/loop\n' >"$TMP/bad/loop"
: >"$TMP/bad/empty"
chmod +x "$TMP/bad"/*
v=(-v "$TMP/bad:/v:ro")
error "truncated ELF header" 126 "truncated" "${v[@]}" /v/short
error "truncated ELF" 126 "truncated" "${v[@]}" /v/cut
error "32-bit ELF" 126 "32-bit" "${v[@]}" /v/elf32
error "foreign processor" 126 "another processor" "${v[@]}" /v/arm
error "missing interpreter" 127 "no/such/interpreter\|interpreter" "${v[@]}" /v/script
error "a script that is its own interpreter" 126 "." "${v[@]}" /v/loop
error "an empty file" 126 "empty" "${v[@]}" /v/empty
error "missing working directory" 126 "no such directory" -w /missing true
error "a file as working directory" 126 "not a directory" -w /etc/passwd true
error "too little memory" 125 "at least 16m" --memory 4m true
status "inside, as the shell says it" 126 run "${v[@]}" bash -c /v/arm
status "inside, missing interpreter" 127 run "${v[@]}" bash -c /v/script
error "missing volume" 125 "no such file" -v "$TMP/none:/x" true
error "root without the program" 127 "." --rootfs "$TMP/bad" /bin/true
mkdir -p "$TMP/root/bin" && cp /bin/true "$TMP/root/bin"
error "root without the loader" 127 "ld-linux\|interpreter\|loader" --rootfs "$TMP/root" /bin/true
same "--rootfs: static busybox" "1 bin" "$(mkdir -p "$TMP/r2/bin"; cp "$TMP/busybox" "$TMP/r2/bin"
	run --rootfs "$TMP/r2" /bin/busybox sh -c 'busybox echo $$; busybox ls /bin >/dev/null; busybox basename /bin' | xargs)"
port=$((20000 + $$ % 20000))
/usr/bin/python3 -c "import socket,time; s=socket.socket(); s.setsockopt(1,2,1); s.bind(('127.0.0.1',$port)); s.listen(); print(1,flush=True); time.sleep(60)" >"$TMP/bound" &
holder=$!
while [ ! -s "$TMP/bound" ]; do sleep 0.05; done
error "port in use" 125 "in use" -p "127.0.0.1:$port:80" true
kill $holder
timeout -s KILL 30 "$BAILEY" run -d --name "real-name-$$" sleep 60 >/dev/null
error "name in use" 125 "in use\|exists\|taken" --name "real-name-$$" true
timeout -s KILL 20 "$BAILEY" kill "real-name-$$" >/dev/null
sleep 0.3
timeout -s KILL 20 "$BAILEY" rm "real-name-$$" >/dev/null

# ---- exhaustion inside stays inside
same "processes: EAGAIN" "again" "$(run --pids-limit 20 bash -c \
	'for i in $(seq 40); do sleep 5 & done 2>&1 | grep -q -i "resource temporarily" && echo again; kill $(jobs -p) 2>/dev/null' 2>/dev/null)"
same "address space: ENOMEM" "MemoryError" "$(run --ulimit as=200000000:200000000 \
	/usr/bin/python3 -c 'bytearray(400 << 20)' 2>&1 | tail -n 1)"
finish
