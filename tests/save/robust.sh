#!/bin/bash
# robust.sh - nothing is lost: the command killed at any moment, a full disk,
# damaged images, missing files, other users.
# usage: [ROUNDS=8] tests/save/robust.sh
. "$(dirname "$0")/lib.sh"
ROUNDS=${ROUNDS:-8}
python=/usr/bin/python3
out=$TMP/out
mkdir "$out"

# A program with some memory that counts, in threads and a child.
cat >"$TMP/count.py" <<'A'
import os, threading, time
data = [os.urandom(4096) for _ in range(6000)]
check = sum(sum(d[:9]) for d in data)
if not os.fork():
    while True:
        time.sleep(0.01)
n = 0
print("READY", flush=True)
while True:
    n += 1
    time.sleep(0.01)
    if sum(sum(d[:9]) for d in data[:500]) < 0 or n % 10 == 0:
        print(n if sum(sum(d[:9]) for d in data) == check else "BROKEN",
              flush=True)
A
start() {
	quietly run -d --name "$1" -v "$TMP/count.py:/count.py:ro" \
		$python /count.py && shows "$1" READY
}
go_again() { by resume -d --name "$1" -v "$TMP/count.py:/count.py:ro" "${@:3}" "$2"; }
last() { by logs "$1" 2>/dev/null | grep -v READY | tail -n 1; }
counts() { # NAME: more than a moment ago
	local was
	was=$(last "$1")
	tries 50 more_than "$1" "${was:-0}"
}
more_than() { local n; n=$(last "$1"); [ "$n" != BROKEN ] && [ "${n:-0}" -gt "$2" ] 2>/dev/null; }
pause_a_while() { sleep "0.$(printf %03d $((RANDOM % $1)))"; }

# ---- kill -9 of save: the source runs on, what is there is whole
start src
check "it runs" counts src
bad= whole=0
for ((i = 0; i < ROUNDS; i++)); do
	rm -rf "$out"; mkdir "$out"
	"$BAILEY" save src -o "$out/a.bly" >/dev/null 2>&1 &
	pid=$!
	pause_a_while 250
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	counts src || bad="$bad round $i: the source stands still;"
	if [ -e "$out/a.bly" ]; then
		whole=$((whole + 1))
		by image verify "$out/a.bly" >/dev/null 2>&1 ||
			bad="$bad round $i: the file is not whole;"
	fi
done
same "save killed $ROUNDS times" "" "$bad"
check "a save after that" by save src -o "$out/a.bly"
check "it verifies" by image verify "$out/a.bly"

# Whatever a killed save leaves is not taken for an image, or is whole.
bad=
for f in "$out"/* "$out"/.[!.]*; do
	[ -f "$f" ] && [ "$f" != "$out/a.bly" ] || continue
	by image verify "$f" >/dev/null 2>&1 && continue
	go_again left "$f" >/dev/null 2>&1 && bad="$bad $f"
done
same "no unfinished file is believed" "" "$bad"

# ---- kill -9 of save --stop: it runs, or the file is whole
bad=
for ((i = 0; i < ROUNDS; i++)); do
	start stop$i
	"$BAILEY" save --stop stop$i -o "$out/s.bly" >/dev/null 2>&1 &
	pid=$!
	pause_a_while 400
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	sleep 0.2
	if ! counts stop$i; then
		by image verify "$out/s.bly" >/dev/null 2>&1 &&
			go_again again$i "$out/s.bly" >/dev/null 2>&1 &&
			counts again$i || bad="$bad round $i"
	fi
	"$BAILEY" rm -f stop$i again$i >/dev/null 2>&1
	rm -f "$out/s.bly"
done
same "save --stop killed $ROUNDS times: it runs here or is in the file" "" "$bad"

# ---- kill -9 of resume: the image is as it was, nothing half runs
sum=$(sha256sum <"$out/a.bly")
bad=
for ((i = 0; i < ROUNDS; i++)); do
	setsid "$BAILEY" resume -d --name half$i \
		-v "$TMP/count.py:/count.py:ro" "$out/a.bly" >/dev/null 2>&1 &
	pid=$!
	pause_a_while 200
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	sleep 0.3
	if by ps | grep -q "half$i\$"; then
		counts half$i || bad="$bad round $i: half of it runs;"
	fi
	"$BAILEY" rm -f half$i >/dev/null 2>&1
done
same "resume killed $ROUNDS times" "" "$bad"
same "the image is as it was" "$sum" "$(sha256sum <"$out/a.bly")"
check "and resumes" go_again whole "$out/a.bly"
check "and counts" counts whole
"$BAILEY" rm -f whole >/dev/null 2>&1

# ---- a full disk: a limit of the file's size, and a small file system
(ulimit -f 512; trap '' XFSZ; by save src -o "$out/limit.bly") \
	>"$TMP/full" 2>&1
same "a limit of the file's size: status" 125 $?
check "and the reason" grep -qi 'large\|space\|limit' "$TMP/full"
check "and no file" test ! -e "$out/limit.bly"
mkdir "$TMP/small"
ns=-m
[ "$(id -u)" = 0 ] || ns=-Urm
if unshare $ns mount -t tmpfs -o size=1m none "$TMP/small" 2>/dev/null; then
	unshare $ns sh -c "mount -t tmpfs -o size=1m none '$TMP/small'
		timeout 60 '$BAILEY' save src -o '$TMP/small/x.bly'
		echo status \$?; ls -A '$TMP/small'" >"$TMP/full" 2>&1
	check "full disk: refused" grep -q 'status 125' "$TMP/full"
	check "full disk: the reason" grep -q 'No space left' "$TMP/full"
	check "full disk: nothing is left" fails grep -q 'bly$' "$TMP/full"
else
	skip "full disk" "no mount namespace here"
fi
check "the source runs on" counts src

# ---- damaged images: truncated anywhere, one bit flipped in every part
cat >"$TMP/damage.py" <<'A'
import os, random, struct, subprocess, sys
bailey, image, volume = sys.argv[1:]
data = open(image, "rb").read()
bad = image + ".bad"
_, index, size, raw = struct.unpack_from("<QQII", data, len(data) - 48)
random.seed(5)
def refused(what, text, also_resume=False):
    with open(bad, "wb") as f:
        f.write(text)
    r = subprocess.run([bailey, "image", "verify", bad], capture_output=True,
                       text=True)
    if r.returncode == 0 or not r.stderr.strip():
        print(what, "not found by verify", r.returncode, r.stderr[:80])
    elif also_resume:
        r = subprocess.run([bailey, "resume", "-d", "--name", "bad", "-v",
                            volume, bad], capture_output=True, text=True)
        if r.returncode != 125 or "Traceback" in r.stderr:
            print(what, "resumed:", r.returncode, r.stderr[:80])
            subprocess.run([bailey, "rm", "-f", "bad"], capture_output=True)
n = len(data)
for cut in [0, 1, 39, 40, 100, n // 2, index - 1, index, index + size // 2,
            n - 48, n - 1] + [random.randrange(n) for _ in range(6)]:
    refused(f"cut at {cut} of {n}:", data[:cut], cut in (0, 40, n // 2, n - 1))
refused("bytes behind the end:", data + b"x", True)
places = ([("header", b) for b in range(0, 40, 3)] +
          [("frames", random.randrange(40, index)) for _ in range(24)] +
          [("index", index + random.randrange(size)) for _ in range(16)] +
          [("trailer", n - 1 - b) for b in range(0, 48, 3)])
for i, (part, at) in enumerate(places):
    text = bytearray(data)
    text[at] ^= 1 << random.randrange(8)
    refused(f"{part}, byte {at}:", bytes(text), i % 6 == 0)
print("looked at", len(places))
os.unlink(bad)
A
same "damage of every kind is found before anything starts" "looked at 70" \
	"$($python "$TMP/damage.py" "$BAILEY" "$out/a.bly" \
		"$TMP/count.py:/count.py:ro" 2>&1)"
same "nothing of it runs" src "$(by ps | awk 'NR > 1 { print $NF }' | xargs)"

# ---- images that are whole, and not for this host: said before anything starts
refused() { # TITLE KIND WORDS
	cp "$out/a.bly" "$out/t.bly"
	check "$1: an image that says so" "$progs/tamper" "$2" "$out/t.bly"
	status "$1: refused" 125 "$BAILEY" resume -d --name tampered \
		-v "$TMP/count.py:/count.py:ro" "$out/t.bly"
	check "$1: named" grep -qi -- "$3" "$TMP/status.log"
}
check "the tool for that" ${CC:-gcc} -D_GNU_SOURCE -Iinclude \
	-o "$progs/tamper" "$here/tamper.c" -lzstd -lsodium -lxxhash
refused "an unknown version" version 'version 3'
refused "missing processor features" features 'features .* lacks'

# ---- a file of the package that is missing, or another
root=$TMP/root
mkdir -p "$root/bin" "$root/tmp"
if [ -x /bin/busybox ]; then
	chmod 755 "$root" "$root/bin"
	cp /bin/busybox "$root/bin/busybox"
	quietly run -d --name pack --rootfs "$root" /bin/busybox sh -c \
		'echo READY; i=0; while :; do i=$((i + 1)); echo $i; /bin/busybox sleep 0.05; done'
	check "a root of its own" shows pack READY
	check "saved" save_stop pack "$out/p.bly"
	mv "$root/bin/busybox" "$TMP/busybox"
	status "a missing file" 125 "$BAILEY" resume -d --name p1 \
		--rootfs "$root" "$out/p.bly"
	check "is named" grep -q 'busybox' "$TMP/status.log"
	cp "$TMP/busybox" "$root/bin/busybox"
	printf x | dd of="$root/bin/busybox" bs=1 seek=70000 conv=notrunc \
		2>/dev/null
	status "a changed file" 125 "$BAILEY" resume -d --name p2 \
		--rootfs "$root" "$out/p.bly"
	check "is named, too" grep -q 'busybox' "$TMP/status.log"
	cp "$TMP/busybox" "$root/bin/busybox"
	check "the same contents in a new file" by resume -d --name p3 \
		--rootfs "$root" "$out/p.bly"
	check "it goes on" shows p3 20
else
	skip "files of a package" "no busybox"
fi

# ---- other users
if [ "$(id -u)" = 0 ]; then
	mkdir -m 777 "$TMP/other"
	chmod 755 "$TMP" "$out"
	chmod 644 "$out/a.bly" "$TMP/count.py"
	cp "$BAILEY" "$(dirname "$BAILEY")/libos.elf" "$TMP/other/"
	as() { # another user's command
		env XDG_RUNTIME_DIR="$TMP/other/run" HOME="$TMP/other" \
			XDG_CACHE_HOME="$TMP/other/cache" timeout 60 setpriv \
			--reuid 12345 --regid 12345 --clear-groups \
			"$TMP/other/bailey" "$@"
	}
	mkdir -m 700 "$TMP/other/run"
	chown 12345:12345 "$TMP/other/run"
	check "root's image, resumed by a user" as resume -d --name u1 \
		-v "$TMP/count.py:/count.py:ro" "$out/a.bly"
	a=$(as logs u1 | tail -n 1)
	sleep 0.5
	check "it counts" test "$(as logs u1 | tail -n 1)" -gt "${a:-0}"
	check "a user's image" as save u1 -o "$TMP/other/u.bly"
	check "resumed by root" go_again r1 "$TMP/other/u.bly"
	check "it counts, too" counts r1
	check "a user cannot save root's" fails setpriv --reuid 12345 \
		--regid 12345 --clear-groups "$TMP/other/bailey" save src \
		-o "$TMP/other/no.bly"
	as rm -f -a >/dev/null 2>&1
else
	skip "other users" "only root can be others"
fi
check "after all that the source runs" counts src
finish
