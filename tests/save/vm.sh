#!/bin/bash
# vm.sh - programs move into a virtual machine and back: another kernel version
# (Debian's own), another processor (QEMU's, which lacks much of this one's),
# another file system, other ports; as root and as an ordinary user.
#
# The machine's disk is an ext4 with bailey, the files that the programs map,
# their images, and vm-init.sh, which does the work in there and says a line
# "= NAME VALUE" for each result; what it saves is read from the disk after.
# The kernel's package is fetched once, into $B/vm, and never installed.
. "$(dirname "$0")/lib.sh"
vm=$(realpath -m "$B/vm")
disk=$TMP/disk
mkdir -p "$vm"

cannot() {
	skip "move into a virtual machine" "$1"
	finish
	exit
}
for x in python3 nginx curl qemu-system-x86_64 mkfs.ext4 debugfs apt-get dpkg-deb; do
	PATH=$PATH:/usr/sbin command -v $x >/dev/null || cannot "needs $x"
done
PATH=$PATH:/usr/sbin
file -L /bin/busybox 2>/dev/null | grep -q static ||
	! ldd /bin/busybox >/dev/null 2>&1 || cannot "needs busybox-static"

# ---- the kernel: its image and a few modules, with what those need
fetch_kernel() (
	cd "$vm" && rm -rf part && mkdir part && cd part || exit
	name=$(apt-cache depends linux-image-amd64 |
		sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	timeout -k 5 240 apt-get -q download "$name" && dpkg-deb -x ./*.deb . &&
		cp boot/vmlinuz-* ../vmlinuz.new && rm -f ./*.deb &&
		mv lib/modules/*/kernel ../modules &&
		mv ../vmlinuz.new ../vmlinuz && cd .. && rm -rf part
)
[ -e "$vm/vmlinuz" ] || { rm -rf "$vm/modules"; fetch_kernel >"$vm/log" 2>&1; }
[ -e "$vm/vmlinuz" ] || cannot "no kernel: $(tail -n 1 "$vm/log")"

declare -A taken
take_module() { # NAME: after those that it depends on
	local name=${1//-/_} path d
	[ -z "${taken[$name]}" ] || return 0
	taken[$name]=1
	path=$(find "$vm/modules" -name "${name//_/[-_]}.ko" | head -n 1)
	[ -n "$path" ] || return 0 # built in
	for d in $(tr '\0' '\n' <"$path" | sed -n 's/^depends=//p' |
		tr , ' '); do
		take_module "$d"
	done
	cp "$path" "$TMP/first/m/$(printf %02d ${#order[@]})-$name.ko"
	order+=("$name")
}
make_initrd() {
	mkdir -p "$TMP"/first/{m,bin,new,dev}
	order=()
	for x in virtio_pci virtio_blk crc32c_generic ext4 overlay; do
		take_module $x
	done
	cp /bin/busybox "$TMP/first/bin/"
	cat >"$TMP/first/init" <<-'A'
	#!/bin/busybox sh
	for m in /m/*; do /bin/busybox insmod "$m"; done
	/bin/busybox mount -t devtmpfs dev /dev
	/bin/busybox mount -t ext4 /dev/vda /new && cd /new &&
		exec /bin/busybox switch_root /new /vm-init.sh
	/bin/busybox poweroff -f
	A
	chmod 755 "$TMP/first/init"
	(cd "$TMP/first" && find . | busybox cpio -o -H newc 2>/dev/null) |
		gzip -1 >"$TMP/initrd"
}

# ---- the disk: this host's files that the programs use, nothing else
root=$TMP/root
bring() { # PATH...: it and the links to it, as they are here
	(cd / && tar -cf - --ignore-failed-read "$@" 2>/dev/null) |
		tar -xf - -C "$root"
}
bring_program() { # PATH
	local f
	for f in "$1" $(ldd "$1" 2>/dev/null | grep -o '/[^ ]*'); do
		bring "$(realpath "$f")" "$(realpath "$(dirname "$f")")/${f##*/}"
	done
}
make_disk() {
	local d
	mkdir -p "$root"/{usr,etc,proc,sys,dev,tmp,run,root,home,images,out}
	for d in /bin /sbin /lib /lib32 /lib64 /libx32; do
		if [ -L $d ]; then
			bring $d
		elif [ -d $d ]; then
			mkdir -p "$root$d"
		fi
	done
	(cd / && find usr etc -maxdepth 1 -type d) | (cd "$root" && xargs mkdir -p)
	for d in /bin/busybox /bin/bash $(find /usr/lib/python3*/lib-dynload \
		/usr/lib/nginx -name '*.so' 2>/dev/null); do
		bring_program "$d"
	done
	for d in "$TMP"/*.bly; do
		bring $(by image inspect --json "$d" | python3 -c '
import json, sys
for x in json.load(sys.stdin): print(*x["Needs"])' | tr ' ' '\n' |
			grep -v ^/progs)
	done
	bring /etc/passwd /etc/group /etc/nsswitch.conf /etc/nginx /etc/ld.so.cache \
		/usr/share/nginx /usr/lib/nginx /usr/lib/locale/C.utf8 \
		/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache
	bring --exclude=test --exclude='config-*' --exclude=idlelib \
		$(ls -d /usr/lib/python3*)
	cp "$BAILEY" "$root/usr/bin/bailey"
	cp "$(dirname "$BAILEY")/libos.elf" "$root/usr/bin/"
	cp "$here/vm-init.sh" "$root/vm-init.sh"
	cp "$TMP"/*.bly "$root/images/"
	mkdir "$root/progs"
	cp -p "$progs/frame" "$root/progs/"
	truncate -s 600M "$disk"
	mkfs.ext4 -q -F -d "$root" "$disk"
}

said() { # NAME: what the machine said of it
	tr -d '\r' <"$TMP/console" | sed -n "s/^= $1 //p" | tail -n 1
}
boot() {
	timeout -k 5 "${LIMIT:-300}" qemu-system-x86_64 -accel tcg \
		-cpu max,-smap -smp 2 -m 1024 -nographic -no-reboot -nic none \
		-kernel "$vm/vmlinuz" -initrd "$TMP/initrd" \
		-append "console=ttyS0 quiet panic=-1" \
		-drive "file=$disk,format=raw,if=virtio" </dev/null \
		>"$TMP/console" 2>&1
}

# ---- here: what is saved, and where it was then
counts='
import http.server, threading, time
n = 0
def count():
    global n
    while True:
        n += 1
        time.sleep(0.02)
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = b"counted %d\n" % n
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *a):
        pass
threading.Thread(target=count, daemon=True).start()
http.server.HTTPServer(("", 8000), H).serve_forever()'
nginx='mkdir -p /srv/www /var/lib/nginx; echo "by nginx" >/srv/www/index.html
	echo "daemon off; worker_processes 1; error_log stderr;
		events { worker_connections 64; }
		http { access_log off; server { listen 80; root /srv/www; } }" \
		>/tmp/conf
	exec nginx -c /tmp/conf'
script='i=0; while :; do i=$((i + 1)); echo $i; sleep 0.05; done'
# Unlike --processor this says nothing to bailey.
without=glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512CD,-AVX512DQ
without=$without,-XSAVEC
level='--processor x86-64-v3'
port=$((19000 + $$ % 9000))
value() { by logs "$1" 2>/dev/null | grep -x '[0-9]*' | tail -n 1; }
ask() { curl -sf -m 5 "http://127.0.0.1:$1/"; }
counted() { ask "$1" | sed -n 's/^counted //p'; }
grants=()

start_all() {
	compile frame
	quietly run -d --name static $level /bin/busybox sh -c "$script" &&
		shows static 20 &&
	quietly run -d --name bash $level bash -c "$script" &&
		shows bash 20 &&
	quietly run -d --name native bash -c "$script" && shows native 20 &&
	quietly run -d --name python $level -p 127.0.0.1:$port:8000 \
		/usr/bin/python3 -c "$counts" && tries 100 counted $port &&
	quietly run -d --name nginx $level -p 127.0.0.1:$((port + 1)):80 \
		sh -c "$nginx" && tries 100 ask $((port + 1)) &&
	begin frame $level -e NARROW=1 /progs/frame &&
	begin wide $level /progs/frame &&
	quietly run -d --name any -e GLIBC_TUNABLES=$without bash -c "$script" &&
		shows any 20
}
save_all() {
	local n
	for n in static bash native python nginx frame wide any; do
		save_stop $n "$TMP/$n.bly" || return
	done
}
check "programs run here" start_all
web=$(counted $port)
check "save all" save_all
was=$(value static)
same "$(uname -r): bash counts" yes "$([ "$(value bash)" -gt 19 ] && echo yes)"

# ---- there
make_initrd
if ! make_disk 2>"$TMP/disk.log"; then
	fail "make the disk" "$(tail -n 1 "$TMP/disk.log")"
	finish
	exit
fi
start=$SECONDS
boot
[ -z "$VERBOSE" ] || cat "$TMP/console"
same "the machine ran to its end in $((SECONDS - start)) s" yes "$(said end)"
kernel=$(said kernel)
check "another kernel: $kernel" test "$kernel" != "$(uname -r)" -a -n "$kernel"
more() { # NAME THAN VALUE
	check "$1: $3 > $2" test "${3:-0}" -gt "${2:-0}"
}
for u in root user; do
	# on a processor as small as QEMU's there is nothing to refuse
	! grep -q avx512f /proc/cpuinfo || same "$u: one that kept to nothing is refused" 125 "$(said $u.native)"
	! grep -q avx512f /proc/cpuinfo || same "$u: it says why" yes \
		"$(said $u.why | grep -q 'lacks: .*avx' && echo yes)"
	more "$u: a static program counts on" "$was" "$(said $u.static)"
	more "$u: it goes on counting" "$(said $u.static)" \
		"$(said $u.static2)"
	more "$u: a dynamic one" 19 "$(said $u.bash)"
	more "$u: python counts on, and serves" "$web" "$(said $u.python)"
	same "$u: nginx serves" yes "$(said $u.nginx)"
	same "$u: a signal handler's frame" "GO ok ok " "$(said $u.frame)"
	! grep -q avx512f /proc/cpuinfo ||
		same "$u: registers that are not there: refused" refused \
			"$(said $u.wide)"
	same "$u: any processor, at one's own risk" yes "$(said $u.any)"
	same "$u: saved there" "yes yes" "$(said $u.saved)"
	for n in static python; do
		debugfs -R "dump /out/$u-$n.bly $TMP/$u-$n.bly" "$disk" \
			>/dev/null 2>&1
	done
	# ---- and here again
	check "$u: resumed here again" resume "$u-static" "$TMP/$u-static.bly"
	[ -z "$VERBOSE" ] || why
	there=$(said $u.static2)
	check "$u: it counts on" shows "$u-static" $((${there:-0} + 20))
	check "$u: python, too" resume "$u-python" "$TMP/$u-python.bly" \
		-p 127.0.0.1:$((port + 2)):8000
	tries 50 counted $((port + 2))
	more "$u: it counts on and serves" "$(said $u.python)" \
		"$(counted $((port + 2)))"
	"$BAILEY" rm -f -a >/dev/null 2>&1
done
finish
