#!/bin/sh
# Prints what makes a container engine use orlop; writes nothing.  See docs/engines.md.
# usage: engine-config.sh docker|containerd|containerd3|podman|crio|kubernetes [PATH_OF_ORLOP]
set -eu
path=${2:-$(command -v orlop || echo "$(dirname "$(dirname "$(readlink -f "$0")")")/build/orlop")}
case $path in
*[!A-Za-z0-9_./+-]* | [!/]*)
	echo "engine-config.sh: not an absolute path of plain characters: $path" >&2
	exit 1
	;;
esac
case ${1-} in
docker)
	[ -s /etc/docker/daemon.json ] && echo "merge this into /etc/docker/daemon.json, which exists" >&2
	printf '{\n\t"runtimes": {"orlop": {"path": "%s"}},\n\t"default-runtime": "orlop"\n}\n' "$path"
	;;
containerd | containerd3)
	plugin=io.containerd.grpc.v1.cri version=2 systemd=false
	[ "$1" = containerd ] || plugin=io.containerd.cri.v1.runtime version=3
	[ ! -d /run/systemd/system ] || systemd=true
	[ "$1" = containerd3 ] || # it would take an imported file for all that there is to say of CRI
		echo "merge this into /etc/containerd/config.toml: containerd 1 does not merge what it imports" >&2
	cat <<-END
		version = $version
		[plugins."$plugin".containerd.runtimes.orlop]
		  runtime_type = "io.containerd.runc.v2"
		  [plugins."$plugin".containerd.runtimes.orlop.options]
		    BinaryName = "$path"
		    SystemdCgroup = $systemd
	END
	;;
podman)
	cat <<-END
		[engine]
		runtime = "orlop"
		runtime_supports_json = ["crun", "runc", "kata", "runsc", "youki", "krun", "orlop"]
		[engine.runtimes]
		orlop = ["$path"]
	END
	;;
crio)
	cat <<-END
		[crio.runtime.runtimes.orlop]
		runtime_path = "$path"
		runtime_type = "oci"
		runtime_root = "/run/orlop-crio"
	END
	;;
kubernetes)
	printf 'apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata:\n  name: orlop\nhandler: orlop\n'
	;;
*)
	sed -n '2,3s/^# //p' "$0" >&2
	exit 1
	;;
esac
