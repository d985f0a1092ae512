#!/bin/busybox sh
# vm-init.sh - process 1 of the machine of vm.sh: resumes its images as root
# and as a user, says what it sees on the console, and saves them again.
/bin/busybox --install -s /root
export PATH=/usr/bin:/usr/sbin:/root
say() { printf '\n= %s %s\n' "$1" "$2"; }
if [ "$1" != as ]; then
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev 2>/dev/null
	mkdir -p /dev/pts /dev/shm
	mount -t devpts pts /dev/pts
	mount -t tmpfs shm /dev/shm
	mount -t tmpfs tmp /tmp
	mount -t tmpfs run /run
	ip link set lo up
	chmod 755 /root
	say kernel "$(uname -r)"
	mkdir -m 777 /over
	mkdir -p /tmp/up /tmp/work
	mount -t overlay over -o lowerdir=/images,upperdir=/tmp/up,workdir=/tmp/work \
		/over
	chmod 1777 /tmp /out
	chmod 644 /images/*
	"$0" as root
	su -s /bin/bash nobody -c "$0 as user"
	sync
	mount -o remount,ro /
	say end yes
	poweroff -f
fi

u=$2
export HOME=/tmp/$u XDG_RUNTIME_DIR=/tmp/$u/run XDG_CACHE_HOME=/tmp/$u/cache
export NO_COLOR=1
mkdir -p "$HOME" "$XDG_CACHE_HOME" && mkdir -m 700 "$XDG_RUNTIME_DIR"
by() { timeout 60 bailey "$@"; }
value() { by logs "$1" 2>/dev/null | grep -x '[0-9]*' | tail -n 1; }
tries() { # COMMAND...
	local i=0
	while ! "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		[ $i -lt 60 ] || return
		sleep 0.5
	done
}
new_value() { [ "$(value "$1" | grep . || echo 0)" -gt "$2" ]; }
ask() { timeout 20 bash -c "exec 3<>/dev/tcp/127.0.0.1/$1 &&
	printf 'GET / HTTP/1.0\r\n\r\n' >&3 && cat <&3"; }
# NAME OPTIONS...: standard error is shown, for whoever reads the console
resume() {
	local name=$1
	shift
	by resume -d --name "$name" "$@" >/tmp/$u/said 2>&1
}

resume native /images/native.bly
say $u.native $?
say $u.why "$(head -c 300 /tmp/$u/said | tr '\n' ' ')"

# from a pipe; a file on ext4, on an overlay, on tmpfs
resume static - </images/static.bly || cat /tmp/$u/said
tries new_value static 0
say $u.static "$(value static)"
resume bash /images/bash.bly || cat /tmp/$u/said
tries new_value bash 0
say $u.bash "$(value bash)"
resume python -p 8100:8000 /over/python.bly || cat /tmp/$u/said
tries ask 8100
say $u.python "$(ask 8100 | sed -n 's/^counted \([0-9]*\).*/\1/p')"
cp /images/nginx.bly /tmp/$u/
resume nginx -p 8101:80 /tmp/$u/nginx.bly || cat /tmp/$u/said
tries ask 8101
say $u.nginx "$(ask 8101 | grep -q "by nginx" && echo yes)"
resume frame -v /progs:/progs:ro /images/frame.bly || cat /tmp/$u/said
by kill -s USR1 frame >/dev/null
by wait frame >/dev/null
say $u.frame "$(by logs frame | sed -n 's/^\(GO\|ok\|FAIL\).*/\1/p' | tr '\n' ' ')"
resume wide -v /progs:/progs:ro /images/wide.bly && say $u.wide resumed
grep -q 'vector registers' /tmp/$u/said && say $u.wide refused
resume any --any-processor /images/any.bly && tries new_value any 0
say $u.any "$(new_value any 0 && echo yes)"

saved=
for n in static python; do
	say $u.static2 "$(value static)"
	by save -q --stop $n -o /out/$u-$n.bly && saved="$saved yes"
done
say $u.saved "${saved# }"
by rm -f -a >/dev/null 2>&1
