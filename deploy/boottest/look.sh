#!/bin/bash
# Runs in the booted system after both units were started or refused: prints
# their state, then ends the boot.
show() { systemctl show --value -p "$2" "$1"; }
ran() { wc -l 2>/dev/null </persist/edge/edge/daemon || echo 0; }
# wait_for_run N waits until an active daemon was started N times. Type=exec waits
# for its exec, not for its output.
wait_for_run() { for _ in $(seq 100); do [ "$(ran)" -ge "$1" ] || sleep 0.1; done; }

hub() { echo "$(show edgehub.service ActiveState) $(show edgehub.service Result) $(show edgehub.service ExecMainStatus)"; }
# asked PATH: what the hub answers, after it has begun to listen.
asked() {
	for _ in $(seq 50); do
		printf 'GET %s HTTP/1.0\r\n\r\n' "$1" | timeout 2 openssl s_client -quiet -connect 127.0.0.1:8430 2>/dev/null && return
		sleep 0.2
	done
}
case $1 in
hub*)
	key=$(asked /key | sed -n 's/^\(hub\.example\.org\)+.*/\1/p')
	echo "hub: $(hub)"
	if [ "$1" = hub ]; then
		echo "key: $key"
		echo "store: $(stat -c '%U %a' /var/lib/edgehub)"
		echo "fleet: $(setpriv --reuid edgehub --regid edgehub --clear-groups edgehub status --store /var/lib/edgehub)"
		setpriv --reuid edgehub --regid edgehub --clear-groups cat /etc/edgehub/hub.key >/dev/null 2>&1 ||
			echo "credentials: not to be read by the hub's user elsewhere"
		systemctl stop edgehub.service
		echo "stopped: $(hub)"
	fi
	[ ! -e /boottest/hub ] || sed 's/^/hub said: /' /boottest/hub
	systemctl --force --force exit 0
	exit
	;;
esac

[ "$(show edged.service ActiveState)" != active ] || wait_for_run 1

echo "gate: $(show edged-precheck.service ActiveState) $(show edged-precheck.service Result) $(show edged-precheck.service ExecMainStatus)"
if [ "$(ran)" -gt 0 ]; then echo "daemon: ran"; else echo "daemon: did not run"; fi
if [ -e /run/edged/passed ]; then echo "pass: there"; else echo "pass: none"; fi

if [ "$1" = pass ]; then
	systemctl start edged-scrub.service edged-checkpoint.service
	echo "scrub: $(show edged-scrub.service Result) $(show edged-scrub.service ExecMainStatus)"
	echo "checkpoint: $(cd /persist/checkpoints && echo *.checkpoint)"
	systemctl restart edged.service
	wait_for_run 2
	if [ "$(ran)" = 2 ]; then echo "after restart of the daemon: ran"; fi
	systemctl stop edged-precheck.service
	if ! [ -e /run/edged/passed ] && [ "$(show edged.service ActiveState)" = inactive ]; then
		echo "after the gate was stopped: no pass, daemon inactive"
	fi
fi
if [ "$1" = real ]; then
	if openssl x509 -in /persist/tls/node.crt -noout -checkend 864000 >/dev/null; then echo "certificate: rotated"; fi
	systemctl restart edged-precheck.service
	echo "again: $(show edged-precheck.service ActiveState) $(show edged-precheck.service ExecMainStatus)"
fi
if [ "$1" = setgid ]; then
	if [ -g /persist/edge/journal ] && [ -g /persist/edge/edge/segments ]; then echo "set-gid: inherited"; fi
	systemctl restart edged-precheck.service
	echo "again: $(show edged-precheck.service ActiveState) $(show edged-precheck.service ExecMainStatus)"
fi
[ -e /boottest/gate ] && sed 's/^/gate said: /' /boottest/gate
systemctl --force --force exit 0
