#!/bin/bash
# hotreads.sh - a volume's file that is read again and again shows at once what
# the host does to it, from a descriptor too; nor does a save disturb that.
. "$(dirname "$0")/../lib.sh"

export XDG_RUNTIME_DIR=$TMP/run XDG_CACHE_HOME=$TMP/cache
mkdir -m 700 "$XDG_RUNTIME_DIR"
trap '"$BAILEY" rm -f -a >/dev/null 2>&1; rm -rf "$TMP"' EXIT
mkdir "$TMP/volume"
out=$B/tests
mkdir -p "$out"

check "hot reads: compiles" gcc -O1 -pthread -w -Itests/progs \
	-o "$out/fs_hotreads" tests/progs/fs_hotreads.c
cp "$out/fs_hotreads" "$TMP/volume"
(cd "$TMP/volume" && timeout 60 ./fs_hotreads) >"$TMP/native"
timeout 60 "$BAILEY" run -i -v "$TMP/volume:/v" -w /v /v/fs_hotreads \
	</dev/null >"$TMP/inside"
check "hot reads: as natively on a volume" cmp "$TMP/native" "$TMP/inside"

if ! command -v python3 >/dev/null; then
	skip "hot reads: changes by the host" "no python3"
	finish
	exit
fi
# Asked for page N it reads it 200 times and tells its first byte and the
# bytes that the last read gave.
cat >"$TMP/volume/reader.py" <<'P'
import os, sys
fd = os.open("file", os.O_RDONLY)
for line in sys.stdin:
    n = int(line)
    for _ in range(200):
        page = os.pread(fd, 4096, n * 4096)
    print(page[:1].decode(), len(page), flush=True)
P
letters() { # LETTER PAGES
	head -c $(($2 * 4096)) /dev/zero | tr '\0' "$1"
}
letters a 32 >"$TMP/volume/file"
mkfifo "$TMP/in" "$TMP/out"
timeout 120 "$BAILEY" run -i --name hot -v "$TMP/volume:/v" -w /v \
	/usr/bin/python3 reader.py <"$TMP/in" >"$TMP/out" &
exec 5>"$TMP/in" 6<"$TMP/out"
says() { # NAME PAGE EXPECTED
	local got
	echo "$2" >&5
	read -r -t 30 got <&6
	same "hot reads: $1" "$3" "$got"
}
says "first" 3 "a 4096"
says "again" 3 "a 4096"
letters b 32 | dd of="$TMP/volume/file" conv=notrunc status=none
says "written over by the host" 3 "b 4096"
truncate -s $((3 * 4096 + 50)) "$TMP/volume/file"
says "made shorter within the page" 3 "b 50"
truncate -s 4096 "$TMP/volume/file"
says "made shorter" 3 "0"
letters c 32 | dd of="$TMP/volume/file" conv=notrunc status=none
says "longer again" 3 "c 4096"
letters d 32 >"$TMP/volume/new"
mv "$TMP/volume/new" "$TMP/volume/file"
says "replaced: the old one is still open" 3 "c 4096"
exec 5>&- 6<&-
wait

# ---- saved in the middle of it
cat >"$TMP/volume/loop.py" <<'P'
import os, sys
fd = os.open("file", os.O_RDONLY)
big = os.open("/usr/bin/perl", os.O_RDONLY)
first = [os.pread(big, 4096, n * 4096) for n in range(64)]
i = 0
while True:
    for n in range(64):
        if os.pread(big, 4096, n * 4096) != first[n]:
            print("wrong", flush=True)
    i += 1
    if i % 20 == 0:
        print(os.pread(fd, 4096, 4096)[:1].decode(), flush=True)
P
last() { "$BAILEY" logs --tail 1 "$1" 2>/dev/null; }
until_last() { # NAME LETTER
	for _ in $(seq 100); do
		[ "$(last "$1")" = "$2" ] && return
		sleep 0.1
	done
	false
}
"$BAILEY" run -d --name loop -v "$TMP/volume:/v" -w /v /usr/bin/python3 \
	loop.py >/dev/null
check "hot reads: runs" until_last loop d
check "hot reads: saved" timeout 60 "$BAILEY" save --stop loop \
	-o "$TMP/loop.bly"
check "hot reads: resumed" timeout 60 "$BAILEY" resume -d --name twin -v "$TMP/volume:/v" \
	"$TMP/loop.bly"
letters e 32 | dd of="$TMP/volume/file" conv=notrunc status=none
check "hot reads: goes on" until_last twin e
same "hot reads: all of them right" 0 \
	"$("$BAILEY" logs twin | grep -c wrong)"
finish
