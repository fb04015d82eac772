# SPDX-License-Identifier: Apache-2.0
# Shared by the demos with Kafka: stock clients that do what they are told, and
# statements of policies. The demo sets region and bootstrap, runs in $here;
# the processes of clients are in clients.
# shellcheck shell=bash disable=SC2154 # of lib.sh, of story.sh and of the demo

clients=()
declare -A to from pid_of

# A stock Java client that does what it is told through a pipe.
client() { # client NAME
  local name=$1 in out
  mkfifo "$here/$name.in" "$here/$name.out"
  env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_PROFILE \
    AWS_REGION="$region" AWS_SHARED_CREDENTIALS_FILE="$here/$name.credentials" STANDIN_LOG="$here/$name.log" \
    java -Xmx128m -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$here/broker/log4j2.properties" -cp "$(client_class_path)" \
    io.standin.it.Driver "$bootstrap" "$here/$name.properties" \
    <"$here/$name.in" >"$here/$name.out" 2>"$here/$name.err" &
  pid_of[$name]=$!
  clients+=($!)
  exec {in}>"$here/$name.in" {out}<"$here/$name.out"
  to[$name]=$in
  from[$name]=$out
}

# Tells a client something; the answer is in $answer.
ask() { # ask NAME COMMAND
  local name=$1 line
  shift
  printf '%s   %s> %s%s\n' "$dim" "$name" "$*" "$plain"
  printf '%s\n' "$*" >&"${to[$name]}" || fail "the client $name runs" "it has stopped ($here/$name.err)"
  answer=''
  while [ -z "$answer" ]; do
    read -r -t 90 -u "${from[$name]}" line || fail "an answer of $name" "nothing ($here/$name.err)"
    [ "${line:0:1}" = '{' ] && answer=$line
  done
  indent <<<"$answer"
}

# One field of the answer.
field() {
  local rest=${answer#*\""$1"\":}
  [ "$rest" != "$answer" ] || { printf 'nothing'; return; }
  rest=${rest#\"}
  printf '%s' "${rest%%[\",\}]*}"
}

expect() { # expect FIELD VALUE
  [ "$(field "$1")" = "$2" ] || fail "$1 is $2" "$answer"
}

statement() { # statement SID EFFECT RESOURCE ACTION...
  local sid=$1 effect=$2 resource=$3
  shift 3
  local actions
  actions=$(printf '"kafka-cluster:%s", ' "$@")
  printf '    {"Sid": "%s", "Effect": "%s",\n     "Action": [%s],\n     "Resource": "%s"}' "$sid" "$effect" "${actions%, }" "$resource"
}
