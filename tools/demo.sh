#!/bin/bash
# demo.sh - shows what bailey does, on this machine, in under a minute.
B=${B:-build}
bailey=$B/bailey
if [ -t 1 ] && [ -z "$NO_COLOR" ]; then
	bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' off=$'\e[0m'
fi
failed=0
dir=$(mktemp -d)
name=demo-web-$$
trap '"$bailey" rm -f "$name" >/dev/null 2>&1; rm -rf "$dir"' EXIT
chmod 755 "$dir"

show() { # COMMAND: printed and run
	echo "$bold\$ $1$off"
	if ! eval "$1"; then
		echo "${red}failed$off"
		failed=1
	fi
	echo
}
port=$((20000 + RANDOM % 20000))
alias_bailey() { "$B/bailey" "$@"; }
bailey() { alias_bailey "$@"; }

show "bailey doctor | head -n 12"
show "bailey run echo 'hello from a picoprocess'"
show "bailey run bash -c 'id; uname -sr; ls /; echo only here > /etc/motd; cat /etc/motd'"
show "printf 'b\na\nb\n' | bailey run -i sh -c 'sort | uniq -c'"
mkdir -p "$dir/src" "$dir/out"
printf '#include <stdio.h>\nint main(void) { puts("compiled inside"); }\n' >"$dir/src/a.c"
chmod 777 "$dir/out"
show "bailey run -v $dir/src:/src:ro -v $dir/out:/out gcc -o /out/a /src/a.c && $dir/out/a"
mkdir -p "$dir/www" && echo 'served from the yard' >"$dir/www/index.html"
chmod -R a+rX "$dir/www"
show "bailey run -d --name $name -p $port:80 -v $dir/www:/var/www/html:ro nginx -g 'daemon off;' >/dev/null && sleep 0.5 && curl -s -w 'nginx answers: %{http_code}\n' localhost:$port"
show "bailey ps"
show "bailey exec $name sh -c 'ps ax | head -n 4'"
show "bailey rm -f $name"
show "bailey run --trace ls / 2>&1 >/dev/null | tail -n 5"
show "bailey abi --host | head -n 8"
if [ $failed = 0 ]; then
	echo "${green}All of it worked.$off"
fi
exit $failed
