#!/bin/bash
# tmux.sh - interactive sessions as a user has them: tmux on the host holds
# the terminal, types, and looks at the screen.  bash with line editing and
# job control, vim, less, top, and tmux itself inside.
. "$(dirname "$0")/../lib.sh"
export LC_ALL=C.UTF-8 TERM=xterm-256color
unset TMUX
socket=bailey-test-$$
name=tm$$
BAILEY=$(realpath "$BAILEY")
mkdir "$TMP/v"
chmod 755 "$TMP" "$TMP/v"
trap 't kill-server 2>/dev/null; "$BAILEY" rm -f $name >/dev/null 2>&1
	rm -rf "$TMP"' EXIT
for p in tmux vim less top; do
	command -v $p >/dev/null && continue
	skip "interactive sessions" "$p is not installed"
	finish
	exit
done
t() { tmux -L "$socket" -f /dev/null "$@"; }
keys() { t send-keys "$@"; }
screen() { t capture-pane -p | sed 's/ *$//'; }
# sees NAME REGEX [KEYS...]: types, then the screen shows REGEX in ten seconds
sees() {
	local name=$1 regex=$2
	shift 2
	[ $# = 0 ] || keys "$@"
	for _ in $(seq 200); do
		screen | grep -qE -- "$regex" && { pass "$name"; return; }
		sleep 0.05
	done
	fail "$name" "no /$regex/ on: $(screen | grep -v '^$' | tail -n 6 | tr '\n' '|')"
}
# again NAME REGEX KEY: for a key that must not come before the program in
# front is in front; it does no harm twice
again() {
	for _ in $(seq 20); do
		keys "$3"
		sleep 0.3
		screen | grep -qE -- "$2" && { pass "$1"; return; }
	done
	fail "$1" "no /$2/ on: $(screen | grep -v '^$' | tail -n 6 | tr '\n' '|')"
}
line() { sees "$1" "$2" C-l "$3" Enter; } # NAME REGEX COMMAND

# The prompt shows the number of jobs; what is looked for is never what the
# echo of a typed line shows.
run="$BAILEY run -it --name $name -v $TMP/v:/v -w /tmp"
t new-session -d -x 100 -y 30 "$run -e PS1='[\\j]yard> ' \
	-e TERM=screen -e LC_ALL=C.UTF-8 -e HISTFILE= bash --norc
	echo status-\$?; exec sleep 100"
sees "bash's prompt" '^\[0\]yard>$'

# ---- line editing: what is typed is changed before it is sent
sees "cursor keys and rubout" '^one two three$' 'echo oneX three' Left Left \
	Left Left Left Left BSpace ' two' Enter
sees "kill and yank" '^begin end$' C-l ' end' C-u 'echo begin' C-y Enter
sees "history search" '^one two three$' C-l C-r 'oneX' C-g C-r 'one t' Enter
sees "completion" '^/usr/include/stdlib.h$' C-l 'ls /usr/include/stdl' Tab Enter
sees "a character of two bytes" '^xy$' C-l 'echo xé' BSpace 'y' Enter
line "a password" '^up$' 'echo up; read -s p; echo "got ${#p}"'
sees "the password is read" '^got 5$' 'abcde' Enter
screen | grep -q abcde && fail "the password is echoed" || pass "it has no echo"

# ---- job control
line "a program in front" '^up$' 'sh -c "echo up; exec sleep 100"'
sees "Ctrl-C" '^\[0\]yard>$' C-c
line "its status" '^st-130$' 'echo st-$?'
line "another" '^up$' 'sh -c "echo up; exec sleep 101"'
sees "Ctrl-Z" '^\[1\]yard>$' C-z
line "jobs" 'Stopped +sh' jobs
line "bg" 'Running +sh' 'bg; jobs'
sees "fg" '^sh -c .*sleep 101' C-l fg Enter
again "Ctrl-C after fg" '^\[0\]yard>$' C-c
line "Ctrl-\\" '^up$' 'sh -c "echo up; exec sleep 102"'
keys 'C-\'
line "its status" '^st-131$' 'echo st-$?'
line "a background job that reads" 'Stopped +tr' 'tr a-z A-Z & sleep 0.3; jobs'
sees "fg" '^tr a-z A-Z$' C-l fg Enter
sleep 0.2 # it is in front now
sees "a line, Ctrl-D" '^LINE$' 'line' Enter C-d
line "a pipeline" '^up$' 'sh -c "echo up >&2; exec sleep 50" | cat | cat'
sees "stops as one" '^\[1\]yard>$' C-z
sees "goes on as one" 'sleep 50" . cat . cat$' C-l fg Enter
again "ends as one" '^\[0\]yard>$' C-c
line "is gone" '^left 0$' 'echo left $(pgrep -c "sleep|cat")'

# ---- the size
line "size" '^30 100$' 'stty size'
line "a handler for resizing" '^up$' \
	'bash -c "trap \"stty size; exit\" WINCH; echo up; while :; do sleep .1; done"'
t resize-window -x 90 -y 25
sees "a program is told of a resize" '^25 90$'
line "bash knows the new width" '^90 25$' 'echo $COLUMNS $LINES'

# ---- vim
sees "vim starts" '^~$' C-l 'vim -u NONE -N --noplugin f' Enter
sees "vim: insert" 'INSERT' i
sees "vim: text" '^second line$' 'first line' Enter 'second line' Escape
sees "vim: edit" '^zero$' ggO 'zero' Escape ':2d' Enter
sees "vim: Ctrl-Z" '^\[1\]yard>$' C-z
sees "vim: fg" '^second line$' fg Enter
t resize-window -x 100 -y 30
sees "vim: redraws to the new size" '^~$' ':set stl=%{&lines}x%{&columns} ls=2' Enter
sees "vim: knows the new size" '^30x100$'
sees "vim: filters through a program" '^SECOND LINE$' ':$!tr a-z A-Z' Enter
sees "vim: saves and ends" '^\[0\]yard>$' ':wq' Enter
line "vim: the file" '^zero,SECOND LINE,$' 'tr "\n" , <f; echo'

# ---- less, top
sees "less: first page" '^29$' C-l 'seq 1000 | less' Enter
sees "less: a page on" '^58$' Space
sees "less: search" '^777$' /777 Enter
sees "less: the end" '\(END\)' G
sees "less: back" '^2$' g
sees "less: quits" '^\[0\]yard>$' q
keys C-l 'sleep 321 &' Enter
sees "top: the sandbox's processes" ' sleep$' 'top -d 0.5' Enter
sees "top: bash is process 1" '^ +1 root .* bash$'
sees "top: and no others" '^Tasks: +3 total'
sees "top: quits" '^\[1\]yard>$' q
line "the job ends" '^\[0\]yard>$' 'kill %1; wait; echo'

# ---- a second terminal in the same sandbox
t new-window "$BAILEY exec -it -e PS1='exec> ' $name bash --norc; sleep 100"
sees "exec -it" '^exec>$'
sees "it has its own terminal" '/dev/pts/1$' 'tty' Enter
sees "both shells" '^shells 2$' 'echo shells $(pgrep -c bash)' Enter
keys 'exit' Enter
t kill-window

# ---- tmux inside, and vim in it
sees "tmux inside" '^\[0\] 0:bash' C-l \
	"tmux -f /dev/null new 'PS1=\"in> \" bash --norc'" Enter
sees "its shell" '^in>$'
sees "its size" '^29 100$' 'stty size' Enter
sees "vim in tmux" '^~$' 'vim -u NONE -N g' Enter
sees "vim in tmux: text" '^in the yard$' 'iin the yard' Escape
sleep 0.6 # or tmux takes the Escape and what follows for one key
sees "tmux: splits" '─{50}' C-b '"'
t resize-window -x 110 -y 40
sees "tmux: follows the size" '─{110}'
keys exit Enter
sees "tmux: the pane ends" '^in the yard$'
sees "tmux: detaches" '^\[detached' C-b d
sees "tmux: attaches again" '^in the yard$' C-l 'tmux attach' Enter
sees "vim in tmux: saves" '^in>$' ':wq' Enter
sees "tmux: ends" '^\[exited\]$' C-l exit Enter
line "the file" '^IN THE YARD$' 'tr a-z A-Z <g'

# ---- python's own line editing; the end
sees "python3" '^>>>$' C-l '/usr/bin/python3 -q' Enter
sees "python3: editing" '^42$' 'print(6*8)' Left BSpace 7 Enter
sees "python3: Ctrl-C" '^KeyboardInterrupt$' 'import time; time.sleep(100)' Enter C-c
sees "python3: Ctrl-D" '^\[0\]yard>$' C-l C-d
sees "status" '^status-7$' C-l 'exit 7' Enter
finish
