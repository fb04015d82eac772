# SPDX-License-Identifier: Apache-2.0
# Shared by the demos: telling a story, and stopping where it goes wrong. The
# demo runs in $here.
# shellcheck shell=bash disable=SC2154 # of lib.sh and of the demo

bold='' dim='' green='' red='' plain=''
if [ -t 1 ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
fi

step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
tell() { printf '%s\n' "$*" | fold -s -w 78 | sed 's/ *$//'; }
good() { printf '%s   ok: %s%s\n' "$green" "$*" "$plain"; }
indent() { sed 's/^/   /'; }

fail() { # fail EXPECTED CAME
  {
    printf '\n%sThis step did not come out as told.%s\n' "$red" "$plain"
    printf '   expected: %s\n   came:     %s\n' "$1" "$2"
    printf '   logs:     %s\n' "$logs"
  } >&2
  exit 1
}

# Shows a command, runs it and shows what it printed; the output is in $output.
show() {
  local shown="$*" status=0
  printf '%s   $ %s%s\n' "$dim" "${shown//"$root/"/}" "$plain"
  output=$("$@" 2>&1) || status=$?
  [ -z "$output" ] || indent <<<"$output"
  [ "$status" -eq 0 ] || fail "\`$*\` succeeds" "exit code $status"
}

standin() { "$build/bin/standin" "$@"; }

policy() { # policy FILE STATEMENTS
  printf '{\n  "Version": "2012-10-17",\n  "Statement": [\n%s\n  ]\n}\n' "$2" >"$1"
}
